/** A directory of the system as one side of a store. */
import fs from 'node:fs';
import path from 'node:path';
import type { Disk, Log } from '@mail-server-kit/core';
import { lockDirectory } from '../lock.ts';
import { nodeDisk } from '../node-disk.js';
import { ThreadLink } from '../thread-link.ts';
import type { Place } from './sides.ts';

export function directoryPlace(directory: string, log: Log): Place {
  const folder = path.join(directory, 'journal');
  const others = new Map<string, Disk>();
  let lock: (() => void) | undefined;
  const inode = async (file: string) => {
    try {
      const { dev, ino } = await fs.promises.stat(file, { bigint: true });
      return `${dev}:${ino}`;
    } catch {
      return undefined;
    }
  };
  return {
    ...{ directory, folder, journal: nodeDisk(folder) },
    exists: () => fs.existsSync(directory),
    isEmpty() {
      try {
        // What mkfs makes in a new file system does not count.
        return fs.readdirSync(directory).every((name) => name === 'lost+found');
      } catch {
        return false;
      }
    },
    inode: (name = '') => inode(path.join(folder, name)),
    take() {
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      // It may be another directory than the one whose lock we had.
      if (lock && fs.existsSync(path.join(directory, 'lock'))) return;
      lock = lockDirectory(directory);
    },
    release() {
      lock?.();
      lock = undefined;
    },
    has: (name) => fs.existsSync(path.join(directory, name)),
    other(name) {
      const there = path.join(directory, name);
      fs.mkdirSync(there, { recursive: true, mode: 0o700 });
      let disk = others.get(name);
      if (!disk) others.set(name, (disk = nodeDisk(there)));
      return disk;
    },
    link: (options) => new ThreadLink({ ...options, directory: folder }, log),
  };
}
