/**
 * The files of one directory as they really are (Disk of core). Synchronous: the journal has a thread of its own, because
 * libuv's pool is shared with password hashes, and a login storm would stop mail.
 */
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/** Vectors that one pwritev takes (IOV_MAX). */
const VECTORS = 1024;

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
    write(parts, position) {
      for (let first = 0; first < parts.length; first += VECTORS) {
        position += writeAll(fd, parts.slice(first, first + VECTORS), position);
      }
    },
    read(into, position) {
      let read = 0;
      while (read < into.length) {
        const count = fs.readSync(fd, into, read, into.length - read, position + read);
        if (count === 0) break;
        read += count;
      }
      return read;
    },
    size: () => fs.fstatSync(fd).size,
    truncate: (size) => fs.ftruncateSync(fd, size),
    sync: () => fs.fdatasyncSync(fd),
    syncApart: () => promisify(fs.fdatasync)(fd),
    close: () => fs.closeSync(fd),
  };
}

/**
 * @param {number} fd
 * @param {readonly Uint8Array[]} parts
 * @param {number} position
 */
function writeAll(fd, parts, position) {
  const octets = parts.reduce((sum, part) => sum + part.length, 0);
  let written = fs.writevSync(fd, parts, position);
  // The system may write less than it was given.
  while (written < octets) {
    const rest = without(parts, written);
    const count = fs.writevSync(fd, rest, position + written);
    if (count === 0) throw new Error('the system writes nothing');
    written += count;
  }
  return octets;
}

/** @param {readonly Uint8Array[]} parts @param {number} octets */
function without(parts, octets) {
  const rest = [];
  for (const part of parts) {
    if (octets < part.length) rest.push(part.subarray(octets));
    octets = Math.max(0, octets - part.length);
  }
  return rest;
}
