/**
 * The files of one directory as they really are (Disk of core). Synchronous: the journal has a thread of its own, because
 * libuv's pool is shared with password hashes, and a login storm would stop mail.
 */
import fs from 'node:fs';
import path from 'node:path';
import { readAll, writeAll } from './file-octets.js';
import { promisify } from 'node:util';

/**
 * @param {string} directory
 * @returns {import('@mail-server-kit/core').Disk}
 */
export function nodeDisk(directory) {
  const at = (/** @type {string} */ name) => path.join(directory, name);
  return {
    list: () => fs.readdirSync(directory),
    open: (name, mode) => openFile(at(name), mode),
    remove: (name) => fs.unlinkSync(at(name)),
    rename: (from, to) => fs.renameSync(at(from), at(to)),
    free() {
      const { bavail, bsize } = fs.statfsSync(directory);
      return bavail * bsize;
    },
    async syncDirectoryApart() {
      const handle = await fs.promises.open(directory, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
    syncDirectory() {
      const fd = fs.openSync(directory, 'r');
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    },
  };
}

/**
 * @param {string} file
 * @param {'read' | 'write'} mode
 * @returns {import('@mail-server-kit/core').DiskFile}
 */
function openFile(file, mode) {
  const { O_RDONLY, O_RDWR, O_CREAT } = fs.constants;
  const fd = fs.openSync(file, mode === 'read' ? O_RDONLY : O_RDWR | O_CREAT, 0o600);
  return {
    write: (parts, position) => writeAll(fd, parts, position),
    read: (into, position) => readAll(fd, into, position),
    size: () => fs.fstatSync(fd).size,
    truncate: (size) => fs.ftruncateSync(fd, size),
    sync: () => fs.fdatasyncSync(fd),
    syncApart: () => promisify(fs.fdatasync)(fd),
    close: () => fs.closeSync(fd),
  };
}
