/**
 * How far the follower of the changes has come: a header (file-form.ts), u32 octets and u32 CRC-32 of what follows, JSON.
 * Not synced: an old position costs time, and nothing else.
 */
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { makeDirectory } from './directory.ts';
import { HEADER, POSITION, fileHeader, readHeader } from './file-form.ts';

export interface Position {
  /** Of the last commit that is in the index, and of one before it. */
  readonly cursor: string;
  readonly before: string;
  /** When that commit was made, ms since 1970: another one with the same cursor is of another store. 0: not known. */
  readonly at: number;
}

const ownerOf = (store: Uint8Array) => ({ store, account: '' });
const NO_FILE = new Uint8Array(8);

export function writePosition(directory: string, store: Uint8Array, position: Position): void {
  const json = Buffer.from(JSON.stringify(position));
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(json.length, 0);
  numbers.writeUInt32LE(crc32(json), 4);
  const file = path.join(directory, 'position');
  makeDirectory(directory);
  const octets = [fileHeader(POSITION, ownerOf(store), NO_FILE), numbers, json];
  fs.writeFileSync(`${file}.new`, Buffer.concat(octets), { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}

/** Undefined: there is none of this store and version. */
export function readPosition(directory: string, store: Uint8Array): Position | undefined {
  let octets: Buffer;
  try {
    octets = fs.readFileSync(path.join(directory, 'position'));
  } catch {
    return undefined;
  }
  if (octets.length < HEADER + 8 || !readHeader(octets, POSITION, ownerOf(store))) return undefined;
  const json = octets.subarray(HEADER + 8, HEADER + 8 + octets.readUInt32LE(HEADER));
  if (crc32(json) !== octets.readUInt32LE(HEADER + 4)) return undefined;
  return JSON.parse(json.toString()) as Position;
}
