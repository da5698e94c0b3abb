/** What a message or a record's content consists of, once it is known where every octet lies. */
import type { EmailId, Facts, Part, Row } from '@mail-server-kit/core';

/** Octets in the journal with a checksum over all of them, of which `skip` are left out in front and `take` belong to us. */
export interface Extent {
  /** segment * 2^32 + offset. */
  readonly place: number;
  readonly octets: number;
  readonly crc: number;
  readonly skip: number;
  readonly take: number;
  /** `octets` are encrypted with it, and `skip` and `take` count what they stand for. */
  readonly key?: Uint8Array;
}

/** Octets at hand, or where they are. */
export type Piece = Uint8Array | Extent;

export interface Pieces {
  readonly size: number;
  readonly pieces: readonly Piece[];
}

/** A message as it is handed to the store's medium. */
export interface Message extends Pieces {
  readonly emailId: EmailId;
  readonly facts: Facts;
}

/** Value and content of a record, likewise. */
export interface RecordBody {
  readonly value: Uint8Array;
  readonly content?: Pieces;
}

/** Where the medium put it: in the journal, or simply here. */
export interface Kept {
  readonly place: number;
  readonly octets: number;
  readonly held?: unknown;
}

export const sizeOf = (piece: Piece): number =>
  piece instanceof Uint8Array ? piece.length : piece.take;

/** The part from `start` to `end` (excluded). Nothing is copied; a whole piece stays the same object. */
export function cut(pieces: readonly Piece[], start: number, end: number): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  for (const piece of pieces) {
    const size = sizeOf(piece);
    const from = Math.max(0, start - at);
    const to = Math.min(size, end - at);
    at += size;
    if (from >= to) continue;
    if (from === 0 && to === size) out.push(piece);
    else if (piece instanceof Uint8Array) out.push(piece.subarray(from, to));
    else out.push({ ...piece, skip: piece.skip + from, take: to - from });
  }
  return out;
}

/** What was asked for, and what is always told. */
export function someFacts(facts: Facts, parts: readonly Part[]): Row['facts'] {
  const { version, ascii } = facts;
  const out: { -readonly [Name in keyof Row['facts']]: Row['facts'][Name] } = { version, ascii };
  for (const part of parts) {
    if (part === 'envelope') out.envelope = facts.envelope;
    else if (part === 'structure') out.structure = facts.structure;
    else if (part === 'preview') out.preview = facts.preview;
    else if (part === 'sort') out.sort = facts.sort;
    else if (part === 'thread') out.thread = facts.thread;
  }
  return out;
}
