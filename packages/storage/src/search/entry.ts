/**
 * An entry of a catalog: what is known of a block of up to 16 messages without reading their texts. Numbers are little
 * endian.
 *
 *     0 u16 documents   2 u16 how many of them are odd   4 u32 octets of the stored headers   8 u32 their CRC-32   12 u32 octets of the stored
 *     rests   16 u32 their CRC-32   20 u32 octets of the signature   24 f64 offset of the stored headers in the text file; the rests follow
 *     32 for each document 28 octets:
 *         0 f64 place of the message   8 i32 day of the Date field since 1970, NONE: there is none   12 u32 octets of its
 *         header   16 u32 of its rest   20 u32 mark (rows.ts)   24 u8 1: odd   25 u8 octets of its e-mail id   26 u16 0
 *     then the e-mail ids in the order of the documents, then the signature (signature.ts)
 */
import type { Candidate } from './compile.ts';
import { signedOctets, type Document } from './document.ts';
import { signatureOf } from './signature.ts';

const HEAD = 32;
const ROW = 28;
const NO_DAY = -0x8000_0000;
const DAY = 86_400_000;

/** A document with what the catalog says of it. */
export interface Listed extends Document {
  readonly place: number;
  readonly mark: number;
  /** 00:00 UTC of a day, ms. */
  readonly sentDay: number | null;
  readonly emailId: string;
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
  head.writeUInt16LE(documents.filter(({ odd }) => odd).length, 2);
  head.writeUInt32LE(stored.headerOctets, 4);
  head.writeUInt32LE(stored.headerCrc, 8);
  head.writeUInt32LE(stored.restOctets, 12);
  head.writeUInt32LE(stored.restCrc, 16);
  head.writeDoubleLE(stored.offset, 24);
  const signature = signatureOf(documents.flatMap(signedOctets));
  head.writeUInt32LE(signature.length, 20);
  for (const [i, document] of documents.entries()) {
    const { place, mark, sentDay, header, rest, odd } = document;
    const at = HEAD + i * ROW;
    head.writeDoubleLE(place, at);
    head.writeInt32LE(sentDay === null ? NO_DAY : sentDay / DAY, at + 8);
    head.writeUInt32LE(header.length, at + 12);
    head.writeUInt32LE(rest.length, at + 16);
    head.writeUInt32LE(mark, at + 20);
    head[at + 24] = odd ? 1 : 0;
    head[at + 25] = (ids[i] as Buffer).length;
  }
  return Buffer.concat([head, ...ids, signature]);
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
  /** Of the messages, in the order of the documents. */
  readonly places: Float64Array;
  readonly marks: Uint32Array;

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
    this.places = new Float64Array(this.documents);
    this.marks = new Uint32Array(this.documents);
    for (let i = 0; i < this.documents; i++) {
      this.marks[i] = octets.readUInt32LE(HEAD + i * ROW + 20);
      this.places[i] = octets.readDoubleLE(HEAD + i * ROW);
    }
  }

  /** Behind the texts, in the text file. */
  get textEnd(): number {
    return this.stored.offset + this.stored.headerOctets + this.stored.restOctets;
  }

  get signature(): Uint8Array {
    const { octets } = this;
    return octets.subarray(octets.length - octets.readUInt32LE(20));
  }

  /** All that is known of each of its documents. */
  get whole(): Candidate {
    return {
      ...{ sentDay: undefined, emailId: undefined, header: undefined, rest: undefined },
      signature: this.signature,
      odd: this.octets.readUInt16LE(2) > 0,
    };
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

  /** Calls `visit` for each document; what it is given is the same object each time. */
  each(visit: (candidate: Candidate, i: number) => void): void {
    const { octets, documents } = this;
    let id = HEAD + documents * ROW;
    const candidate = this.whole;
    for (let i = 0; i < documents; i++) {
      const row = HEAD + i * ROW;
      const day = octets.readInt32LE(row + 8);
      const idOctets = octets[row + 25] as number;
      candidate.sentDay = day === NO_DAY ? null : day * DAY;
      candidate.emailId = octets.toString('utf8', id, id + idOctets);
      candidate.odd = octets[row + 24] === 1;
      visit(candidate, i);
      id += idOctets;
    }
  }

  /** The documents again, given their texts one after the other. */
  unpack(headers: Buffer, rests: Buffer): Listed[] {
    const out: Listed[] = [];
    let header = 0;
    let rest = 0;
    this.each(({ sentDay = null, emailId = '', odd }, i) => {
      const [headerEnd, restEnd] = [header + this.headerOctets(i), rest + this.restOctets(i)];
      out.push({
        ...{ sentDay, emailId, odd, place: this.places[i] as number },
        mark: this.marks[i] as number,
        header: headers.subarray(header, headerEnd),
        rest: rests.subarray(rest, restEnd),
      });
      [header, rest] = [headerEnd, restEnd];
    });
    return out;
  }
}
