/** Octets of an open file, all that were asked for: the system may read and write fewer at a time. */
import fs from 'node:fs';

/** Vectors that one pwritev takes (IOV_MAX). */
const VECTORS = 1024;

/**
 * Fills `into` as far as the file reaches; returns the octets read.
 *
 * @param {number} fd
 * @param {Uint8Array} into
 * @param {number} position
 */
export function readAll(fd, into, position) {
  let read = 0;
  while (read < into.length) {
    const count = fs.readSync(fd, into, read, into.length - read, position + read);
    if (count === 0) break;
    read += count;
  }
  return read;
}

/**
 * @param {number} fd
 * @param {readonly Uint8Array[]} parts one after the other
 * @param {number} position
 */
export function writeAll(fd, parts, position) {
  for (let first = 0; first < parts.length; first += VECTORS) {
    position += writeVectors(fd, parts.slice(first, first + VECTORS), position);
  }
}

/**
 * @param {number} fd
 * @param {readonly Uint8Array[]} parts
 * @param {number} position
 */
function writeVectors(fd, parts, position) {
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
