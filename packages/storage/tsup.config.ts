import { packageBuild } from '../../tsup.base.ts';

const entry = { index: 'src/index.ts', contract: 'src/contract/index.ts' };

export default packageBuild({
  // Threads are started by their file names, which have to be there beside the code that starts them.
  entry: {
    ...entry,
    'journal-thread': 'src/embedded/journal-thread.js',
    'search-thread': 'src/search/thread.ts',
    cli: 'src/cli/bin.ts',
  },
  dts: { entry },
});
