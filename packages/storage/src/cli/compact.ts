/** Frees the space of what was expunged, now instead of bit by bit. */
import type { Command } from './command.ts';
import { inUnits } from './output.ts';
import { owning } from './writing.ts';

export const compact: Command = {
  name: 'compact',
  usage: 'compact [--mirror DIR2]',
  help: 'frees the space of what was expunged (WRITES; stop the server)',

  async run(invocation) {
    const { json, io } = invocation;
    const { before, after } = await owning(
      invocation,
      () => {},
      async (store) => ({ before: store.stats(), after: await store.compact() }),
    );
    io.stdout.write(
      json
        ? `${JSON.stringify({ before, after })}\n`
        : `The journal took ${inUnits(before.octets)} and takes ${inUnits(after.octets)} now, of which ${inUnits(after.live)} are in use\n`,
    );
    return true;
  },
};
