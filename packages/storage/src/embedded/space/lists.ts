/** Lists of segments, from where they are kept: beside a segment, inside a compacted one, or nowhere yet. */
import type { Disk, DiskFile } from '@mail-server-kit/core';
import type { Delta } from '../../state/delta.ts';
import { FOLD, RECORD_HEADER } from '../layout.js';
import { absolute } from '../medium.ts';
import { Unpacker } from '../pack.ts';
import { SegmentReader } from '../scan.ts';
import { damaged, openSegment, type Kept, type Segment } from '../segments.ts';
import type { Vault } from '../vault/vault.ts';
import { readFold } from './fold-form.ts';
import type { FoldPart } from './folds.ts';
import {
  makeList,
  readHead,
  readList,
  withListFile,
  type ListHead,
  type SegmentList,
} from './list.ts';

export interface Journaled {
  readonly disk: Disk;
  readonly store: Uint8Array;
  readonly seed: number;
  /** The keys, if the store is encrypted. */
  readonly vault: Vault | undefined;
}

type Read<T> = (file: DiskFile, segment: number, at: number) => T | undefined;

/** Undefined: it has none that is to be trusted. @throws MailError CORRUPTION if a compacted segment has lost its own */
function look<T>({ disk, store }: Journaled, number: number, segment: Segment, read: Read<T>) {
  if (!segment.compacted) return withListFile(disk, number, store, read);
  return fromCompacted(disk, number, read);
}

function fromCompacted<T>(disk: Disk, number: number, read: Read<T>): T {
  const opened = openSegment(disk, number);
  try {
    const list = (opened.kept as Kept).list;
    const found = read(opened.file, number, list);
    if (!found) throw damaged(number, list);
    return found;
  } finally {
    opened.close();
  }
}

export const findHead = (journaled: Journaled, number: number, segment: Segment) =>
  look<ListHead>(journaled, number, segment, readHead);

export const findList = (journaled: Journaled, number: number, segment: Segment) =>
  look<SegmentList>(journaled, number, segment, readList);

/** Makes it of a sealed segment if it is not there, all at once. @throws MailError CORRUPTION */
export function listOf(
  journaled: Journaled,
  number: number,
  segment: Segment,
  first: number,
): SegmentList {
  const found = findList(journaled, number, segment);
  if (found) return found;
  const { octets } = segment;
  const { disk, seed, vault } = journaled;
  const making = makeList(disk, { segment: number, octets, first, seed, vault });
  for (;;) {
    const { done, value } = making.next();
    if (done) return value;
  }
}

/** The changes of a part of a fold. @throws MailError CORRUPTION */
export function readFoldPart(
  { disk, seed, vault }: Journaled,
  { segment, offset, lsn, octets }: FoldPart,
): readonly Delta[] {
  const reader = new SegmentReader(disk, segment, offset + RECORD_HEADER + octets);
  try {
    const record = reader.record(offset, lsn, seed);
    if (typeof record === 'string' || record.header.type !== FOLD) throw damaged(segment, offset);
    const { bytes, header, place } = record;
    return absolute(readFold(new Unpacker(bytes, RECORD_HEADER), header.version, vault), place);
  } finally {
    reader.close();
  }
}
