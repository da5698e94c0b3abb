/**
 * Bodies under random keys of their own, in parts of 64 KiB that can be opened alone. A key seals one stretch of octets
 * once, so the number of a part is its nonce, and whose part it is needs no saying. The last one is marked: a stretch that
 * was cut shows, and parts that changed places do too.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { MailError } from '@mail-server-kit/core';
import { KEY_OCTETS, TAG_OCTETS } from './sealer.ts';

/** Of a part, without its tag. */
export const PART_OCTETS = 65_536;
const SEALED_PART = PART_OCTETS + TAG_OCTETS;
const ALGORITHM = 'aes-256-gcm';

export interface SealedBody {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

export function sealBody(plain: Uint8Array): SealedBody {
  const key = randomBytes(KEY_OCTETS);
  if (plain.length <= PART_OCTETS) {
    const out = Buffer.allocUnsafe(plain.length + TAG_OCTETS);
    sealPart(key, plain, 0, true, out, 0);
    return { key, bytes: out };
  }
  const parts = Math.ceil(plain.length / PART_OCTETS);
  const out = Buffer.allocUnsafe(plain.length + parts * TAG_OCTETS);
  for (let part = 0; part < parts; part++) {
    const from = part * PART_OCTETS;
    const octets = plain.subarray(from, from + PART_OCTETS);
    sealPart(key, octets, part, part === parts - 1, out, part * SEALED_PART);
  }
  return { key, bytes: out };
}

function sealPart(
  key: Uint8Array,
  plain: Uint8Array,
  part: number,
  last: boolean,
  into: Buffer,
  at: number,
): void {
  const cipher = createCipheriv(ALGORITHM, key, nonceOf(part, last));
  into.set(cipher.update(plain), at);
  cipher.final();
  into.set(cipher.getAuthTag(), at + plain.length);
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

function nonceOf(part: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(part, 0);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

const damaged = (cause?: unknown) =>
  new MailError('CORRUPTION', 'Stored octets are damaged', { cause });
