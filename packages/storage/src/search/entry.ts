/**
 * An entry of a catalog: what is known of a block of up to 16 messages without reading their texts. Numbers are little
 * endian.
 *
 *     0 u16 documents   2 u16 0   4 u32 octets of the stored headers   8 u32 their CRC-32   12 u32 octets of the stored
 *     rests   16 u32 their CRC-32   20 u32 0   24 f64 offset of the stored headers in the text file; the rests follow
 *     32 for each document 24 octets:
 *         0 f64 place of the message   8 i32 day of the Date field since 1970, NONE: there is none   12 u32 octets of its
 *         header   16 u32 of its rest   20 u8 logarithm of its signature's bits, 0: none   21 u8 1: odd   22 u8 octets of
 *         its e-mail id   23 u8 0
 *     then the e-mail ids, then the signatures, each in the order of the documents
 */
import type { Candidate } from './compile.ts';
import type { Document } from './document.ts';
import { noSignature, signatureOf, type Signature } from './signature.ts';

const HEAD = 32;
const ROW = 24;
const NO_DAY = -0x8000_0000;
const DAY = 86_400_000;

/** A document with what the catalog says of it. */
export interface Listed extends Document {
  readonly place: number;
  /** 00:00 UTC of a day, ms. */
  readonly sentDay: number | null;
  readonly emailId: string;
  readonly signature: Signature;
}

export function listed(
  document: Document,
  about: { readonly place: number; readonly sentDay: number | null; readonly emailId: string },
): Listed {
  const signature = document.odd ? noSignature : signatureOf([document.header, document.rest]);
  return { ...document, ...about, signature };
}

/** Where the texts of a block lie. */
export interface Stored {
  readonly offset: number;
  readonly headerOctets: number;
  readonly headerCrc: number;
  readonly restOctets: number;
  readonly restCrc: number;
}

export function packEntry(documents: readonly Listed[], stored: Stored): Buffer {
  const ids = documents.map(({ emailId }) => Buffer.from(emailId));
  const head = Buffer.alloc(HEAD + documents.length * ROW);
  head.writeUInt16LE(documents.length, 0);
  head.writeUInt32LE(stored.headerOctets, 4);
  head.writeUInt32LE(stored.headerCrc, 8);
  head.writeUInt32LE(stored.restOctets, 12);
  head.writeUInt32LE(stored.restCrc, 16);
  head.writeDoubleLE(stored.offset, 24);
  for (const [i, document] of documents.entries()) {
    const { place, sentDay, header, rest, signature, odd } = document;
    const at = HEAD + i * ROW;
    head.writeDoubleLE(place, at);
    head.writeInt32LE(sentDay === null ? NO_DAY : sentDay / DAY, at + 8);
    head.writeUInt32LE(header.length, at + 12);
    head.writeUInt32LE(rest.length, at + 16);
    head[at + 20] = signature.log;
    head[at + 21] = odd ? 1 : 0;
    head[at + 22] = (ids[i] as Buffer).length;
  }
  return Buffer.concat([head, ...ids, ...documents.map(({ signature }) => signature.bits)]);
}

/** With the texts at another place of another file. */
export function movedEntry(octets: Buffer, stored: Stored): Buffer {
  const moved = Buffer.from(octets);
  moved.writeUInt32LE(stored.headerOctets, 4);
  moved.writeUInt32LE(stored.headerCrc, 8);
  moved.writeUInt32LE(stored.restOctets, 12);
  moved.writeUInt32LE(stored.restCrc, 16);
  moved.writeDoubleLE(stored.offset, 24);
  return moved;
}

export class Entry {
  readonly documents: number;
  readonly stored: Stored;

  constructor(
    readonly octets: Buffer,
    /** Where its frame begins in the catalog. */
    readonly at: number,
  ) {
    this.documents = octets.readUInt16LE(0);
    this.stored = {
      headerOctets: octets.readUInt32LE(4),
      headerCrc: octets.readUInt32LE(8),
      restOctets: octets.readUInt32LE(12),
      restCrc: octets.readUInt32LE(16),
      offset: octets.readDoubleLE(24),
    };
  }

  /** Behind the texts, in the text file. */
  get textEnd(): number {
    return this.stored.offset + this.stored.headerOctets + this.stored.restOctets;
  }

  place(i: number): number {
    return this.octets.readDoubleLE(HEAD + i * ROW);
  }

  /** Of all its texts. */
  get textOctets(): number {
    let sum = 0;
    for (let i = 0; i < this.documents; i++) sum += this.headerOctets(i) + this.restOctets(i);
    return sum;
  }

  headerOctets(i: number): number {
    return this.octets.readUInt32LE(HEAD + i * ROW + 12);
  }

  restOctets(i: number): number {
    return this.octets.readUInt32LE(HEAD + i * ROW + 16);
  }

  /** Calls `visit` for each document; what it is given is the same object each time. E-mail ids only if `ids`. */
  each(visit: (candidate: Candidate, i: number) => void, ids = true): void {
    const { octets, documents } = this;
    let id = HEAD + documents * ROW;
    let signature = id;
    for (let i = 0; i < documents; i++) signature += octets[HEAD + i * ROW + 22] as number;
    const candidate: Candidate = {
      ...{ sentDay: null, emailId: '', log: 0, bits: octets, at: 0, odd: false },
      ...{ header: undefined, rest: undefined },
    };
    for (let i = 0; i < documents; i++) {
      const row = HEAD + i * ROW;
      const day = octets.readInt32LE(row + 8);
      const log = octets[row + 20] as number;
      const idOctets = octets[row + 22] as number;
      candidate.sentDay = day === NO_DAY ? null : day * DAY;
      if (ids) candidate.emailId = octets.toString('utf8', id, id + idOctets);
      candidate.log = log;
      candidate.at = signature;
      candidate.odd = octets[row + 21] === 1;
      visit(candidate, i);
      id += idOctets;
      if (log > 0) signature += 2 ** (log - 3);
    }
  }

  /** The documents again, given their texts one after the other. */
  unpack(headers: Buffer, rests: Buffer): Listed[] {
    const out: Listed[] = [];
    let header = 0;
    let rest = 0;
    this.each(({ sentDay, emailId, log, at, odd }, i) => {
      const [headerEnd, restEnd] = [header + this.headerOctets(i), rest + this.restOctets(i)];
      const bits = log === 0 ? noSignature.bits : this.octets.subarray(at, at + 2 ** (log - 3));
      out.push({
        ...{ sentDay, emailId, odd, place: this.place(i), signature: { log, bits } },
        header: headers.subarray(header, headerEnd),
        rest: rests.subarray(rest, restEnd),
      });
      [header, rest] = [headerEnd, restEnd];
    });
    return out;
  }
}
