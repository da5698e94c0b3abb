/** Brings the journal's files into a state that can be appended to. */
import type { Disk } from '@mail-server-kit/core';
import { SEGMENT_HEADER, segmentHeader, segmentName } from './layout.js';
import { SegmentReader, type Position, type Scanned } from './scan.ts';
import type { Segment } from './segments.ts';

/** The first segment of a new journal; it is whole and on disk when this returns. */
export function createJournal(disk: Disk, octets: number, store: Uint8Array): void {
  const name = `${segmentName(1)}.new`;
  const file = disk.open(name, 'write');
  try {
    const header = segmentHeader({ segment: 1, octets, generation: 1, store });
    fill(file, header, 0);
    for (let at = SEGMENT_HEADER; at < octets; at += zeros.length) {
      fill(file, zeros.subarray(0, Math.min(zeros.length, octets - at)), at);
    }
    file.sync();
  } finally {
    file.close();
  }
  disk.rename(name, segmentName(1));
  disk.syncDirectory();
}

const zeros = new Uint8Array(1_048_576);
const fill = (file: ReturnType<Disk['open']>, bytes: Uint8Array, at: number) =>
  file.write([bytes], at);

/**
 * Makes what was found the truth: writes the end again as it was read. For what was read may be known to the system alone,
 * and a sync succeeds without writing what that takes for clean since another has failed. Behind the end come zeros, even
 * where zeros were read, for the same reason; and no segment, for it might be taken for ours. Only if the store was closed
 * properly these are known to hold zeros. Returns the last segment that is there.
 */
export function settleEnd(
  disk: Disk,
  segments: Map<number, Segment>,
  { end, closed, sure }: Scanned,
  segmentOctets: number,
): number {
  let last = end.segment;
  for (const name of disk.list().filter((each) => each.endsWith('.journal.new'))) disk.remove(name);
  const next = segments.get(end.segment + 1);
  if (closed && next?.octets === segmentOctets) last++;
  // The last one first, or a power cut could leave a gap.
  for (const number of [...segments.keys()].filter((each) => each > last).reverse()) {
    disk.remove(segmentName(number));
    disk.syncDirectory();
    segments.delete(number);
  }
  // Names too: that of a segment which is there may be known to the system alone.
  disk.syncDirectory();
  const { octets } = segments.get(end.segment) as Segment;
  writeAgain(disk, end, sure, closed ? end.offset : octets);
  return last;
}

/** From there on, with zeros from the end up to `octets`. */
function writeAgain(disk: Disk, end: Position, from: number, octets: number): void {
  const reader = new SegmentReader(disk, end.segment, end.offset);
  const file = disk.open(segmentName(end.segment), 'write');
  try {
    for (let at = from; at < end.offset; at += zeros.length) {
      fill(file, reader.bytes(at, Math.min(zeros.length, end.offset - at)), at);
    }
    for (let at = end.offset; at < octets; at += zeros.length) {
      fill(file, zeros.subarray(0, Math.min(zeros.length, octets - at)), at);
    }
    file.sync();
  } finally {
    reader.close();
    file.close();
  }
}
