/** Writes what is left of a segment into a new file and puts that in its place. */
import { crc32 } from 'node:zlib';
import type { Disk, DiskFile } from '@mail-server-kit/core';
import { framed, framedOctets } from '../blobs.ts';
import {
  RECORD_HEADER,
  SEGMENT_HEADER,
  aligned,
  segmentHeader,
  segmentName,
  type SegmentHeader,
} from '../layout.js';
import { Packer } from '../pack.ts';
import { damaged, openSegment, type SegmentFile } from '../segments.ts';
import { listName, packList, type ListedCommit, type SegmentList } from './list.ts';
import type { Ranges } from './mark.ts';
import type { Pace } from './pace.ts';

/** Octets copied in one step. */
const STEP = 262_144;

export interface Compaction {
  readonly disk: Disk;
  readonly header: SegmentHeader;
  readonly list: SegmentList;
  /** Bodies and body records that are needed. */
  readonly bodies: Ranges;
  /** Whether the changes of a commit are needed. */
  readonly isAlive: (commit: ListedCommit) => boolean;
  readonly isCurrent: (fold: SegmentList['folds'][number]) => boolean;
  /** The last segment with a fold on which it stands that changes are left out. */
  readonly needs: number;
  readonly pace: Pace;
  /** What is left has to be less than this, or it is not worth it. */
  readonly most: number;
}

export interface Compacted {
  /** Octets of the new file; undefined: everything stays as it was. */
  readonly octets: number | undefined;
  /** Octets that are needed. */
  readonly live: number;
  /** Commits up to this LSN are not all there any more. */
  readonly forgotten: number;
}

/** Crash-safe: until the rename the old file is there, and after it the new one is whole. @throws MailError CORRUPTION; Stopped */
export async function compactSegment(compaction: Compaction): Promise<Compacted> {
  const { disk, header, list, pace, most } = compaction;
  const source = openSegment(disk, header.segment);
  try {
    const { ranges, kept } = collect(compaction, source);
    const live = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
    const left = new Set(kept.commits);
    const dropped = list.commits.findLast((commit) => !left.has(commit))?.lsn ?? 0;
    const forgotten = Math.max(source.kept?.forgotten ?? 0, dropped);
    if (live >= most) return { octets: undefined, live, forgotten: source.kept?.forgotten ?? 0 };
    const needs = Math.max(source.kept?.needs ?? 0, compaction.needs);
    const sums = await checksums(header.segment, source, ranges, pace);
    const about = packAbout({ ...list, forgotten, needs }, ranges, sums);
    const parts = [about, ...packList(kept)];
    const data = aligned(SEGMENT_HEADER + framedOctets(parts));
    const name = segmentName(header.segment);
    const file = disk.open(`${name}.new`, 'write');
    try {
      file.truncate(0);
      file.write([segmentHeader({ ...header, data }), ...framed(parts)], 0);
      await copy(header.segment, source, ranges, sums, file, data, pace);
      await (file.syncApart?.() ?? file.sync());
    } finally {
      file.close();
    }
    disk.rename(`${name}.new`, name);
    await (disk.syncDirectoryApart?.() ?? disk.syncDirectory());
    removeList(disk, header.segment);
    return { octets: data + live, live, forgotten };
  } finally {
    source.close();
  }
}

/** Its own list is inside. */
function removeList(disk: Disk, segment: number): void {
  const name = listName(segment);
  if (disk.list().includes(name)) disk.remove(name);
}

function collect(
  { list, bodies, isAlive, isCurrent }: Compaction,
  source: SegmentFile,
): { ranges: [start: number, end: number][]; kept: SegmentList } {
  const commits = list.commits.filter(isAlive);
  for (const { offset, octets, bodies: before } of commits) {
    bodies.add(offset, RECORD_HEADER);
    bodies.add(offset + RECORD_HEADER + before, octets - before);
  }
  const folds = list.folds.filter(isCurrent);
  for (const { offset, octets } of folds) bodies.add(offset, RECORD_HEADER + octets);
  const ranges = bodies.merged();
  const end = ranges.at(-1)?.[1] ?? 0;
  if (end > source.octets) throw damaged(list.segment, end);
  return { ranges, kept: { ...list, commits, folds } };
}

function packAbout(
  { first, last, forgotten, needs }: SegmentList & { forgotten: number; needs: number },
  ranges: readonly (readonly [start: number, end: number])[],
  sums: Uint32Array,
): Uint8Array {
  const to = new Packer(64 + 12 * ranges.length);
  to.f64(first);
  to.f64(last);
  to.f64(forgotten);
  to.u32(needs);
  let at = 0;
  to.varint(ranges.length);
  ranges.forEach(([start, end], index) => {
    to.varint(start - at);
    to.varint(end - start);
    to.u32(sums[index] as number);
    at = end;
  });
  return to.bytes;
}

type Spans = readonly (readonly [start: number, end: number])[];

/** Reads all of it once before anything is written, for the checksums come first in the file. */
async function checksums(
  segment: number,
  source: SegmentFile,
  ranges: Spans,
  pace: Pace,
): Promise<Uint32Array> {
  const sums = new Uint32Array(ranges.length);
  const buffer = Buffer.allocUnsafeSlow(STEP);
  for (const [index, [start, end]] of ranges.entries()) {
    let sum = 0;
    for (let at = start; at < end; at += STEP) {
      const part = buffer.subarray(0, Math.min(STEP, end - at));
      if (source.read(part, at) < part.length) throw damaged(segment, at);
      sum = crc32(part, sum);
      await pace.spend(part.length);
    }
    sums[index] = sum;
  }
  return sums;
}

/** Many small ranges go out as one write. */
async function copy(
  segment: number,
  source: SegmentFile,
  ranges: Spans,
  sums: Uint32Array,
  file: DiskFile,
  data: number,
  pace: Pace,
): Promise<void> {
  let buffer = Buffer.allocUnsafeSlow(STEP);
  let filled = 0;
  let position = data;
  const flush = async () => {
    if (filled === 0) return;
    file.write([buffer.subarray(0, filled)], position);
    position += filled;
    const octets = filled;
    filled = 0;
    buffer = Buffer.allocUnsafeSlow(STEP);
    await pace.spend(octets);
  };
  for (const [index, [start, end]] of ranges.entries()) {
    let sum = 0;
    for (let at = start; at < end;) {
      const part = buffer.subarray(filled, filled + Math.min(STEP - filled, end - at));
      if (source.read(part, at) < part.length) throw damaged(segment, at);
      sum = crc32(part, sum);
      filled += part.length;
      at += part.length;
      if (filled === STEP) await flush();
    }
    // The disk has to say the same twice.
    if (sum !== sums[index]) throw damaged(segment, start);
  }
  await flush();
}

/** Compares the checksums of all that is left in a compacted segment. @throws MailError CORRUPTION; Stopped */
export async function checkKept(disk: Disk, segment: number, pace: Pace): Promise<void> {
  const source = openSegment(disk, segment);
  try {
    const { kept } = source;
    if (!kept) return;
    const ranges = [...kept.starts].map((start, index): [number, number] => [
      start,
      start + (kept.lengths[index] as number),
    ]);
    const sums = await checksums(segment, source, ranges, pace);
    const odd = sums.findIndex((sum, index) => sum !== kept.sums[index]);
    if (odd >= 0) throw damaged(segment, kept.starts[odd] as number);
  } finally {
    source.close();
  }
}
