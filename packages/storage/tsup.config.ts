import { packageBuild } from '../../tsup.base.ts';

const entry = { index: 'src/index.ts', contract: 'src/contract/index.ts' };

export default packageBuild({
  // The thread is a file of its own beside index, found by its URL; nobody imports it, so it has no types.
  entry: { ...entry, 'journal-thread': 'src/embedded/journal-thread.js' },
  dts: { entry },
});
