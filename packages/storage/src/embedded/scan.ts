/** Reads the journal from a place on, record by record, and tells a torn end from damage. */
import { MailError, type Disk } from '@mail-server-kit/core';
import {
  ALIGN,
  PAYLOAD,
  RECORD_HEADER,
  SEGMENT_HEADER,
  aligned,
  isWhole,
  placeOf,
  readRecordHeader,
  segmentName,
  type RecordHeader,
} from './layout.js';
import { MirrorDisk } from './mirror/mirror-disk.ts';
import { damaged, openSegment, type Segment, type SegmentFile } from './segments.ts';

export interface JournalRecord {
  readonly header: RecordHeader;
  /** Header and payload. Valid until the next record is read. */
  readonly bytes: Buffer;
  readonly place: number;
}

/** Where reading begins: the record with `lsn` + 1 is expected there or at the beginning of the next segment. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
  readonly lsn: number;
}

const WINDOW = 1_048_576;

/** One segment, read in windows. */
export class SegmentReader {
  #window = Buffer.alloc(0);
  #start = 0;
  readonly #file: SegmentFile;

  constructor(
    readonly disk: Disk,
    readonly segment: number,
    readonly octets: number,
  ) {
    this.#file = openSegment(disk, segment);
  }

  /** `octets` from `at` on, fewer only at the end of the segment. */
  bytes(at: number, octets: number): Buffer {
    const wanted = Math.min(octets, this.octets - at);
    if (at < this.#start || at + wanted > this.#start + this.#window.length) {
      const size = Math.min(Math.max(WINDOW, wanted), this.octets - at);
      const window = Buffer.allocUnsafeSlow(Math.max(0, size));
      this.#window = window.subarray(0, this.#file.read(window, at));
      this.#start = at;
    }
    return this.#window.subarray(at - this.#start, at - this.#start + wanted);
  }

  /** 'end': only zeros here, or no room for a header. 'bad': something that is not the expected record. */
  record(at: number, lsn: number, seed: number): JournalRecord | 'end' | 'bad' {
    if (at + RECORD_HEADER > this.octets) return 'end';
    const head = this.bytes(at, RECORD_HEADER);
    if (head.length < RECORD_HEADER) return 'bad';
    if (head.every((octet) => octet === 0)) return 'end';
    const found = this.#whole(at, (header) => header.lsn === lsn, seed);
    return found ?? this.#elsewhere(at, lsn, seed) ?? 'bad';
  }

  /** The record on the other side of a mirror. */
  #elsewhere(at: number, lsn: number, seed: number): JournalRecord | undefined {
    if (!(this.disk instanceof MirrorDisk)) return undefined;
    for (const copy of this.disk.copies) {
      try {
        const reader = new SegmentReader(copy, this.segment, this.octets);
        const found = reader.record(at, lsn, seed);
        reader.close();
        if (typeof found !== 'object') continue;
        this.disk.suspect(this.segment);
        return found;
      } catch {
        // No better there.
      }
    }
    return undefined;
  }

  #whole(
    at: number,
    fits: (header: RecordHeader) => boolean,
    seed: number,
  ): JournalRecord | undefined {
    const head = this.bytes(at, RECORD_HEADER);
    if (head.length < RECORD_HEADER || head.readUInt32LE(0) !== this.segment) return undefined;
    const header = readRecordHeader(head, 0);
    const octets = RECORD_HEADER + header.octets;
    if (!fits(header) || at + octets > this.octets) return undefined;
    const bytes = this.bytes(at, octets);
    if (bytes.length < octets || !isWhole(bytes, seed)) return undefined;
    return { header, bytes, place: placeOf(this.segment, at) };
  }

  /** Whole records from `at` on, at any place that is a multiple of ALIGN, with LSNs of at least `lsn`. */
  *stray(at: number, lsn: number, seed: number): Generator<JournalRecord> {
    let next = aligned(at);
    while (next + RECORD_HEADER <= this.octets) {
      const found = this.#whole(next, (header) => header.lsn >= lsn, seed);
      if (found) {
        yield found;
        next = aligned(next + RECORD_HEADER + found.header.octets);
      } else next += ALIGN;
    }
  }

  close(): void {
    this.#file.close();
  }
}

export interface Scanned {
  readonly end: Position;
  /** The last record was a mark: the store was closed, and nothing can follow it. */
  readonly closed: boolean;
  /**
   * In the segment of `end`: all before this was on disk when a later record was written. What follows it has been read, but
   * perhaps from the memory of the system alone: after a process that was killed, or a sync that failed.
   */
  readonly sure: number;
}

/**
 * Hands every record from `from` on to `take`. Stops at the end, or where a group that was never acknowledged is torn.
 * `known`: up to here all is known to have been durable.
 * @throws MailError CORRUPTION, with the place, if something that was durable is damaged or missing
 */
export function scan(
  disk: Disk,
  segments: ReadonlyMap<number, Segment>,
  { segment, offset, lsn }: Position,
  { seed, known, mark }: { seed: number; known: number; mark: number },
  take: (record: JournalRecord) => void,
): Scanned {
  let end: Position = { segment, offset, lsn };
  let closed = false;
  let unsure: { readonly lsn: number; readonly at: number }[] = [];
  for (let number = segment; ; number++) {
    const { octets } = segments.get(number) as Segment;
    const reader = new SegmentReader(disk, number, octets);
    try {
      let at = number === segment ? offset : SEGMENT_HEADER;
      for (;;) {
        const record = reader.record(at, end.lsn + 1, seed);
        if (record === 'end' || record === 'bad') break;
        if (record.header.version > PAYLOAD) {
          throw new MailError('CANNOT', `${segmentName(number)} was written by a later version`);
        }
        take(record);
        closed = record.header.type === mark;
        const { durable } = record.header;
        while (unsure[0] && unsure[0].lsn <= durable) unsure.shift();
        unsure.push({ lsn: record.header.lsn, at });
        at = aligned(at + record.bytes.length);
        end = { segment: number, offset: at, lsn: record.header.lsn };
      }
    } finally {
      reader.close();
    }
    if (!segments.has(number + 1) || !begins(disk, segments, number + 1, end.lsn + 1, seed)) break;
    // A segment is begun when the one before it is on disk.
    unsure = [];
  }
  refuseDamage(disk, segments, end, seed, known);
  return { end, closed, sure: unsure[0]?.at ?? end.offset };
}

function begins(
  disk: Disk,
  segments: ReadonlyMap<number, Segment>,
  segment: number,
  lsn: number,
  seed: number,
): boolean {
  const reader = new SegmentReader(disk, segment, (segments.get(segment) as Segment).octets);
  try {
    return typeof reader.record(SEGMENT_HEADER, lsn, seed) === 'object';
  } finally {
    reader.close();
  }
}

/**
 * A record that was written when `durable` was on disk proves that everything up to there was once whole. So whatever
 * follows the end and says so turns a torn end into damage.
 */
function refuseDamage(
  disk: Disk,
  segments: ReadonlyMap<number, Segment>,
  end: Position,
  seed: number,
  known: number,
): void {
  const missing = end.lsn + 1;
  if (known >= missing) throw damaged(end.segment, end.offset);
  for (const [number, { octets }] of segments) {
    if (number < end.segment) continue;
    const reader = new SegmentReader(disk, number, octets);
    try {
      const from = number === end.segment ? end.offset : SEGMENT_HEADER;
      if (isZero(reader, from)) continue;
      for (const { header } of reader.stray(from, missing, seed)) {
        if (header.durable >= missing) throw damaged(end.segment, end.offset);
      }
    } finally {
      reader.close();
    }
  }
}

/** Whether nothing but zeros follows. */
function isZero(reader: SegmentReader, from: number): boolean {
  for (let at = from; at < reader.octets; at += WINDOW) {
    const bytes = reader.bytes(at, WINDOW);
    if (bytes.compare(zeros, 0, bytes.length) !== 0) return false;
  }
  return true;
}

const zeros = Buffer.alloc(WINDOW);
