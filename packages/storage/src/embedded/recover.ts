/** Brings the journal's files into a state that can be appended to. */
import type { Disk } from '@mail-server-kit/core';
import { SEGMENT_HEADER, segmentHeader, segmentName } from './layout.js';
import { SegmentReader, isZero, type Position, type Scanned } from './scan.ts';
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
 * Removes what must never be taken for records of ours: the torn group behind the end, and segments after it unless the
 * store was closed properly, when they are known to hold only zeros. Returns the last segment that is there.
 */
export function cutTornEnd(
  disk: Disk,
  segments: Map<number, Segment>,
  { end, closed }: Scanned,
  segmentOctets: number,
): number {
  let last = end.segment;
  let removed = false;
  for (const name of disk.list().filter((each) => each.endsWith('.journal.new'))) {
    disk.remove(name);
    removed = true;
  }
  for (const [number, { octets }] of segments) {
    if (number <= end.segment) continue;
    if (closed && octets === segmentOctets && number === last + 1) last = number;
    else {
      disk.remove(segmentName(number));
      segments.delete(number);
      removed = true;
    }
  }
  if (removed) disk.syncDirectory();
  if (!closed) clearBehind(disk, segments, end);
  return last;
}

function clearBehind(disk: Disk, segments: ReadonlyMap<number, Segment>, end: Position): void {
  const { octets } = segments.get(end.segment) as Segment;
  const reader = new SegmentReader(disk, end.segment, octets);
  const clean = isZero(reader, end.offset);
  reader.close();
  if (clean) return;
  const file = disk.open(segmentName(end.segment), 'write');
  try {
    for (let at = end.offset; at < octets; at += zeros.length) {
      fill(file, zeros.subarray(0, Math.min(zeros.length, octets - at)), at);
    }
    file.sync();
  } finally {
    file.close();
  }
}
