import { packageBuild } from '../../tsup.base.ts';

const entry = { index: 'src/index.ts', contract: 'src/contract/index.ts' };

export default packageBuild({
  // The journal thread is started by its file name, which has to be there beside the code that starts it.
  entry: { ...entry, 'journal-thread': 'src/embedded/journal-thread.js', cli: 'src/cli/bin.ts' },
  dts: { entry },
});
