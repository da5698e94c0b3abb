/**
 * Bodies under random keys of their own, in parts of 64 KiB that can be opened alone. A key seals one stretch of octets
 * once, so the number of a part is its nonce, and whose part it is needs no saying. The last one is marked: a stretch that
 * was cut shows, and parts that changed places do too.
 */
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { MailError } from '@mail-server-kit/core';
import { crcAfter } from '../crc.js';
import type { RecordPart } from '../layout.js';
import { KEY_OCTETS, TAG_OCTETS } from './sealer.ts';

/** Of a part, without its tag. */
export const PART_OCTETS = 65_536;
const SEALED_PART = PART_OCTETS + TAG_OCTETS;
const ALGORITHM = 'aes-256-gcm';

/** A body as it is to be written. */
export interface WrittenBody {
  readonly parts: readonly RecordPart[];
  readonly octets: number;
  readonly crc: number;
  /** Undefined: it is not encrypted. */
  readonly key?: Uint8Array;
}

export function plainBody(bytes: Uint8Array): WrittenBody {
  const crc = crc32(bytes);
  return { parts: [{ bytes, crc }], octets: bytes.length, crc };
}

/** Nothing is copied: what the cipher gives is written as it is. */
export function sealBody(plain: Uint8Array): Required<WrittenBody> {
  const key = freshKey();
  const parts: RecordPart[] = [];
  let octets = 0;
  let sum = 0;
  for (let part = 0; part === 0 || part * PART_OCTETS < plain.length; part++) {
    const from = part * PART_OCTETS;
    const last = from + PART_OCTETS >= plain.length;
    const cipher = createCipheriv(ALGORITHM, key, nonceOf(part, last));
    const bytes = cipher.update(plain.subarray(from, from + PART_OCTETS));
    cipher.final();
    const tag = cipher.getAuthTag();
    const crc = crc32(bytes);
    sum = crc32(tag, part === 0 ? crc : crcAfter(sum, crc, bytes.length));
    octets += bytes.length + tag.length;
    parts.push({ bytes, crc }, { bytes: tag });
  }
  return { key, parts, octets, crc: sum };
}

/** The system's random numbers cost the same for 32 octets and for some thousands. */
const pool = Buffer.alloc(256 * KEY_OCTETS);
let drawn = pool.length;

function freshKey(): Uint8Array {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  const key = Uint8Array.from(pool.subarray(drawn, drawn + KEY_OCTETS));
  // No body has the key of another one, and nobody finds it here later.
  pool.fill(0, drawn, (drawn += KEY_OCTETS));
  return key;
}

export interface SealedBody {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * Octets `skip` to `skip` + `take` of what `sealBody` was given. Only the parts that hold them are opened.
 * @throws MailError CORRUPTION
 */
export function openBody({ key, bytes }: SealedBody, skip: number, take: number): Uint8Array {
  const last = Math.ceil(bytes.length / SEALED_PART) - 1;
  const first = Math.floor(skip / PART_OCTETS);
  const opened: Uint8Array[] = [];
  for (let part = first; part * PART_OCTETS < skip + take; part++) {
    if (part > last) throw damaged();
    opened.push(
      openPart(
        key,
        bytes.subarray(part * SEALED_PART, (part + 1) * SEALED_PART),
        part,
        part === last,
      ),
    );
  }
  const plain = opened.length === 1 ? (opened[0] as Uint8Array) : Buffer.concat(opened);
  const from = skip - first * PART_OCTETS;
  if (plain.length < from + take) throw damaged();
  return plain.subarray(from, from + take);
}

function openPart(key: Uint8Array, bytes: Uint8Array, part: number, last: boolean): Uint8Array {
  const end = bytes.length - TAG_OCTETS;
  if (end < 0) throw damaged();
  const decipher = createDecipheriv(ALGORITHM, key, nonceOf(part, last));
  decipher.setAuthTag(bytes.subarray(end));
  const plain = decipher.update(bytes.subarray(0, end));
  try {
    decipher.final();
  } catch (error) {
    throw damaged(error);
  }
  return plain;
}

/** Whoever is given it makes a copy. */
const nonce = Buffer.alloc(12);

function nonceOf(part: number, last: boolean): Buffer {
  nonce.writeUInt32LE(part, 0);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

const damaged = (cause?: unknown) =>
  new MailError('CORRUPTION', 'Stored octets are damaged', { cause });
