/** Throws the index away and makes it anew from the journal. */
import fs from 'node:fs';
import path from 'node:path';
import { lockDirectory } from '../embedded/lock.ts';
import { openEmbeddedStore } from '../embedded/store.ts';
import { looking, type Command } from './command.ts';

export const rebuildIndex: Command = {
  name: 'rebuild-index',
  usage: 'rebuild-index',
  help: 'makes the index anew from the journal (WRITES; the server must be stopped)',

  async run({ directory, encryption, json, io }) {
    // Whoever mistypes the directory must not get a new store there.
    await looking({ directory, encryption }, async () => {});
    const unlock = lockDirectory(directory);
    try {
      fs.rmSync(path.join(directory, 'index'), { recursive: true, force: true });
    } finally {
      unlock();
    }
    const start = performance.now();
    const store = await openEmbeddedStore(directory, encryption ? { encryption } : {});
    await store.close();
    const ms = Math.round(performance.now() - start);
    io.stdout.write(json ? `${JSON.stringify({ ms })}\n` : `The index was made anew in ${ms} ms\n`);
    return true;
  },
};
