/**
 * Segment files, whatever their form. A place in the journal is logical: an offset into the segment as it was written. A
 * compacted segment has lost what nobody needs any more, and knows where in the file the rest is; readers need not care.
 */
import { MailError, type Disk, type DiskFile } from '@mail-server-kit/core';
import { readFramed } from './blobs.ts';
import {
  SEGMENT_HEADER,
  readSegmentHeader,
  segmentName,
  segmentOf,
  type SegmentHeader,
} from './layout.js';
import type { Unpacker } from './pack.ts';

export interface Segment {
  readonly header: SegmentHeader;
  /** Of the segment as it was written. */
  readonly octets: number;
  readonly compacted: boolean;
}

/** What is left of a compacted segment. */
export interface Kept {
  /** LSNs of the first and last record that the segment had. */
  readonly first: number;
  readonly last: number;
  /** Commits up to this LSN are not all there any more; 0: they are. */
  readonly forgotten: number;
  /** The last segment that has a fold which stands for changes that were left out. */
  readonly needs: number;
  /** Where ranges begin in the segment, ascending. */
  readonly starts: Float64Array;
  readonly lengths: Float64Array;
  readonly sums: Uint32Array;
  /** Where they lie in the file. */
  readonly positions: Float64Array;
  /** Where the list of records lies in the file. */
  readonly list: number;
}

/** One segment, open to be read. */
export interface SegmentFile {
  readonly octets: number;
  /** Undefined: it is as it was written. */
  readonly kept: Kept | undefined;
  readonly file: DiskFile;
  /**
   * Fills `into` with what lies at `offset` of the segment as it was written. Returns the octets read: fewer at the end of
   * the segment, or where the next ones were left out by a compaction.
   */
  read(into: Uint8Array, offset: number): number;
  close(): void;
}

/**
 * Segments by number, ascending.
 * @throws MailError CORRUPTION if one is missing or its header is damaged; CANNOT if a later version wrote it
 */
export function listSegments(disk: Disk): Map<number, Segment> {
  const numbers = disk.list().flatMap((name) => segmentOf(name) ?? []);
  numbers.sort((a, b) => a - b);
  const segments = new Map<number, Segment>();
  let before: SegmentHeader | undefined;
  for (const number of numbers) {
    const file = disk.open(segmentName(number), 'read');
    try {
      const header = headerOf(file, number);
      if (before && (before.segment !== number - 1 || !sameStore(before, header))) {
        throw damaged(number, 0);
      }
      before = header;
      const { compacted } = header;
      const octets = compacted ? header.octets : Math.min(header.octets, file.size());
      segments.set(number, { header, octets, compacted });
    } finally {
      file.close();
    }
  }
  return segments;
}

function headerOf(file: DiskFile, number: number): SegmentHeader {
  const bytes = new Uint8Array(SEGMENT_HEADER);
  const read = file.read(bytes, 0);
  const header = readSegmentHeader(bytes.subarray(0, read));
  if (header === 'too new') {
    throw new MailError('CANNOT', `${segmentName(number)} was written by a later version`);
  }
  if (header === 'damaged' || header.segment !== number) throw damaged(number, 0);
  return header;
}

const sameStore = (a: SegmentHeader, b: SegmentHeader) => Buffer.compare(a.store, b.store) === 0;

export function damaged(segment: number, offset: number): MailError {
  const place = `segment ${segment}, offset ${offset}`;
  return new MailError('CORRUPTION', `The journal is damaged at ${place}`, {
    cause: { segment, offset },
  });
}

/** @throws MailError CORRUPTION, CANNOT; the system's error if it is not there */
export function openSegment(disk: Disk, segment: number): SegmentFile {
  const file = disk.open(segmentName(segment), 'read');
  try {
    const header = headerOf(file, segment);
    if (header.compacted) return new Compacted(file, header);
    const octets = Math.min(header.octets, file.size());
    return {
      ...{ octets, kept: undefined, file },
      read: (into, offset) => file.read(into, offset),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

class Compacted implements SegmentFile {
  readonly octets: number;
  readonly kept: Kept;

  constructor(
    readonly file: DiskFile,
    header: SegmentHeader,
  ) {
    this.octets = header.octets;
    const part = readFramed(file, SEGMENT_HEADER);
    if (!part) throw damaged(header.segment, SEGMENT_HEADER);
    this.kept = unpackKept(part.from, header.data, part.next);
  }

  read(into: Uint8Array, offset: number): number {
    const { starts, lengths, positions } = this.kept;
    let range = rangeAt(starts, offset);
    let done = 0;
    while (done < into.length) {
      const at = offset + done;
      const within = at - (starts[range] ?? Infinity);
      const rest = (lengths[range] ?? 0) - within;
      if (within < 0 || rest <= 0) break;
      const part = into.subarray(done, done + Math.min(rest, into.length - done));
      const read = this.file.read(part, (positions[range] as number) + within);
      done += read;
      if (read < part.length) break;
      range++;
    }
    return done;
  }

  close(): void {
    this.file.close();
  }
}

/** Index of the last range that begins at or before `offset`; -1: none does. */
function rangeAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function unpackKept(from: Unpacker, data: number, list: number): Kept {
  const first = from.f64();
  const last = from.f64();
  const forgotten = from.f64();
  const needs = from.u32();
  let end = 0;
  const ranges = from.list(() => {
    const start = end + from.varint();
    const octets = from.varint();
    end = start + octets;
    return { start, octets, sum: from.u32() };
  });
  let position = data;
  const positions = ranges.map(({ octets }) => {
    position += octets;
    return position - octets;
  });
  return {
    ...{ first, last, forgotten, needs, list },
    starts: Float64Array.from(ranges, ({ start }) => start),
    lengths: Float64Array.from(ranges, ({ octets }) => octets),
    sums: Uint32Array.from(ranges, ({ sum }) => sum),
    positions: Float64Array.from(positions),
  };
}
