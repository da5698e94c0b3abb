/** Parts of a derived file, each behind its length and checksum. */
import { crc32 } from 'node:zlib';
import type { DiskFile } from '@mail-server-kit/core';
import { Unpacker } from './pack.ts';

/** Octets of length and checksum in front of a part. */
const FRAME = 8;

/** The parts in a row, each framed. */
export function framed(parts: readonly Uint8Array[]): Buffer[] {
  return parts.flatMap((part) => {
    const frame = Buffer.alloc(FRAME);
    frame.writeUInt32LE(part.length, 0);
    frame.writeUInt32LE(crc32(part), 4);
    return [frame, Buffer.from(part.buffer, part.byteOffset, part.length)];
  });
}

export const framedOctets = (parts: readonly Uint8Array[]): number =>
  parts.reduce((sum, part) => sum + FRAME + part.length, 0);

/** The part at `at`, and where the next one begins; undefined: it is damaged. */
export function readFramed(
  file: DiskFile,
  at: number,
): { readonly from: Unpacker; readonly next: number } | undefined {
  const frame = Buffer.alloc(FRAME);
  if (file.read(frame, at) < FRAME) return undefined;
  const octets = frame.readUInt32LE(0);
  // Before so much is allocated: a damaged length must not do it.
  if (at + FRAME + octets > file.size()) return undefined;
  const part = Buffer.allocUnsafeSlow(octets);
  if (file.read(part, at + FRAME) < octets || crc32(part) !== frame.readUInt32LE(4)) {
    return undefined;
  }
  return { from: new Unpacker(part), next: at + FRAME + octets };
}

/** Where the part after the one at `at` begins, without looking at it. */
export function skipFramed(file: DiskFile, at: number): number {
  const frame = Buffer.alloc(FRAME);
  return file.read(frame, at) < FRAME ? at : at + FRAME + frame.readUInt32LE(0);
}
