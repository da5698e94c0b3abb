/** Throws the index away and makes it anew from the journal. */
import fs from 'node:fs';
import path from 'node:path';
import { lockDirectory } from '../embedded/lock.ts';
import { looking, type Command } from './command.ts';
import { directoriesOf, owning } from './writing.ts';

export const rebuildIndex: Command = {
  name: 'rebuild-index',
  usage: 'rebuild-index [--mirror DIR2]',
  help: 'makes the index anew from the journal (WRITES; stop the server)',

  async run(invocation) {
    const { json, io } = invocation;
    // Whoever mistypes the directory must not lose anything there.
    await looking(invocation, async () => {});
    for (const directory of directoriesOf(invocation)) {
      const unlock = lockDirectory(directory);
      try {
        fs.rmSync(path.join(directory, 'index'), { recursive: true, force: true });
      } finally {
        unlock();
      }
    }
    const start = performance.now();
    await owning(
      invocation,
      () => {},
      async () => {},
    );
    const ms = Math.round(performance.now() - start);
    io.stdout.write(json ? `${JSON.stringify({ ms })}\n` : `The index was made anew in ${ms} ms\n`);
    return true;
  },
};
