/**
 * What all files of the index begin with, and the frames of a catalog. Numbers are little endian.
 *
 *     0 8 octets magic   8 u16 version   10 u16 version of the folding   12 u16 version of the facts   14 u16 0
 *     16 16 octets id of the store   32 16 octets SHA-256 of the account, its beginning   48 8 octets id of the text file
 *     56 u32 0   60 u32 CRC-32 of what is before
 *
 * A frame: 0 u32 octets of the entry as it is stored   4 u32 documents in the catalog so far, these included   8 f64 octets
 * of their texts   16 u8 algorithm   17 3 octets 0   20 u32 CRC-32 of what is before and of the entry   24 the entry, then
 * again u32 its octets, so that the file can be read from its end.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FACTS_VERSION, FOLD_VERSION } from '@mail-server-kit/mime';

export const HEADER = 64;
export const FRAME = 24;
export const TRAILER = 4;
/** Of this form. What was written in another one is made anew. */
export const VERSION = 1;

export const CATALOG = 'MSKSCAT\n';
export const TEXT = 'MSKSTXT\n';
export const POSITION = 'MSKSPOS\n';

export interface Owner {
  readonly store: Uint8Array;
  readonly account: string;
}

export function fileHeader(magic: string, { store, account }: Owner, file: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER);
  header.write(magic, 'latin1');
  header.writeUInt16LE(VERSION, 8);
  header.writeUInt16LE(FOLD_VERSION, 10);
  header.writeUInt16LE(FACTS_VERSION, 12);
  header.set(store, 16);
  header.set(createHash('sha256').update(account).digest().subarray(0, 16), 32);
  header.set(file, 48);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  return header;
}

/** The id of the text file; undefined: the header is of another store, account or version, or no header. */
export function readHeader(header: Buffer, magic: string, owner: Owner): Buffer | undefined {
  if (header.length < HEADER) return undefined;
  const file = header.subarray(48, 56);
  return fileHeader(magic, owner, file).equals(header.subarray(0, HEADER)) ? file : undefined;
}

export interface Frame {
  readonly documents: number;
  readonly textOctets: number;
  readonly algorithm: number;
  readonly entry: Uint8Array;
}

export function packFrame({ documents, textOctets, algorithm, entry }: Frame): Buffer {
  const frame = Buffer.alloc(FRAME + entry.length + TRAILER);
  frame.writeUInt32LE(entry.length, 0);
  frame.writeUInt32LE(documents, 4);
  frame.writeDoubleLE(textOctets, 8);
  frame[16] = algorithm;
  frame.set(entry, FRAME);
  frame.writeUInt32LE(entry.length, FRAME + entry.length);
  frame.writeUInt32LE(crcOf(frame, entry.length), 20);
  return frame;
}

const crcOf = (frame: Buffer, octets: number) =>
  crc32(frame.subarray(FRAME, FRAME + octets), crc32(frame.subarray(0, 20)));

/** Undefined: there is no whole frame. */
export function readFrame(frame: Buffer): Frame | undefined {
  if (frame.length < FRAME + TRAILER) return undefined;
  const octets = frame.readUInt32LE(0);
  if (frame.length < FRAME + octets + TRAILER) return undefined;
  if (frame.readUInt32LE(FRAME + octets) !== octets) return undefined;
  if (crcOf(frame, octets) !== frame.readUInt32LE(20)) return undefined;
  return {
    documents: frame.readUInt32LE(4),
    textOctets: frame.readDoubleLE(8),
    algorithm: frame[16] as number,
    entry: frame.subarray(FRAME, FRAME + octets),
  };
}
