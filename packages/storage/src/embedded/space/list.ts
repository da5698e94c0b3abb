/**
 * What a segment holds, so that neither a rebuild nor a compaction has to read bodies: its commits with what they are about,
 * its folds, and which other segments its messages point to. It lies beside a sealed segment as N.list, or inside a compacted
 * one; it is made anew from the segment whenever it is not there.
 */
import { crc32 } from 'node:zlib';
import type { AccountId, Disk, DiskFile } from '@mail-server-kit/core';
import type { Delta } from '../../state/delta.ts';
import type { Piece } from '../../state/pieces.ts';
import { framed, readFramed } from '../blobs.ts';
import { unpackMessage, unpackValue } from '../body-record.ts';
import {
  COMMIT,
  FOLD,
  FORMAT,
  RECORD_HEADER,
  SEGMENT_HEADER,
  aligned,
  placeOf,
  segmentAt,
  segmentName,
} from '../layout.js';
import { absolute } from '../medium.ts';
import { unpackCommit, type CommitRecord } from '../pack-commit.ts';
import { Packer, UnpackError, Unpacker } from '../pack.ts';
import { SegmentReader, type JournalRecord } from '../scan.ts';
import { damaged } from '../segments.ts';
import type { Vault } from '../vault/vault.ts';
import { readFoldHead, type FoldHead } from './fold-form.ts';
import { itemsOf, octetsOf, type Item } from './items.ts';

export interface ListedCommit {
  readonly lsn: number;
  /** Of the record in the segment. */
  readonly offset: number;
  /** Of the payload. */
  readonly octets: number;
  readonly bodies: number;
  /** CRC-32 of the record's header and of what follows the bodies. */
  readonly sum: number;
  readonly at: number;
  /** Its results have to be remembered for a while. */
  readonly hasId: boolean;
  /** Indices of `items`, each with octets of its changes. */
  readonly about: readonly (readonly [item: number, octets: number])[];
}

export interface ListedFold extends FoldHead {
  readonly lsn: number;
  readonly offset: number;
  readonly octets: number;
}

export interface SegmentList {
  readonly segment: number;
  /** LSNs of the first and last record; `first` is one more than `last` if there is none. */
  readonly first: number;
  readonly last: number;
  readonly items: readonly Item[];
  readonly folds: readonly ListedFold[];
  /** Other segments that have octets of messages and records whose commits are here. */
  readonly refs: readonly number[];
  readonly commits: readonly ListedCommit[];
}

export const listName = (segment: number): string => `${segmentName(segment).split('.')[0]}.list`;

/** A segment that nothing is written to any more. */
export interface Sealed {
  readonly segment: number;
  readonly octets: number;
  /** LSN of its first record. */
  readonly first: number;
  readonly seed: number;
  readonly vault: Vault | undefined;
}

/**
 * Reads a whole segment, and yields how many octets it has read since the last time, a quarter of a MiB or so. It is sealed: what is not as expected is damage.
 * @throws MailError CORRUPTION
 */
export function* makeList(
  disk: Disk,
  { segment, octets, first, seed, vault }: Sealed,
): Generator<number, SegmentList> {
  const reader = new SegmentReader(disk, segment, octets);
  const builder = new ListBuilder(segment, first, vault);
  try {
    let at = SEGMENT_HEADER;
    let done = 0;
    for (;;) {
      const record = reader.record(at, builder.last + 1, seed);
      if (record === 'bad') throw damaged(segment, at);
      if (record === 'end') return builder.list();
      builder.add(record, at);
      done += record.bytes.length;
      at = aligned(at + record.bytes.length);
      if (done > 262_144) {
        yield done;
        done = 0;
      }
    }
  } finally {
    reader.close();
  }
}

class ListBuilder {
  last: number;
  readonly #items = new Map<string, number>();
  readonly #list: Item[] = [];
  readonly #commits: ListedCommit[] = [];
  readonly #folds: ListedFold[] = [];
  readonly #refs = new Set<number>();

  constructor(
    readonly segment: number,
    readonly first: number,
    readonly vault: Vault | undefined,
  ) {
    this.last = first - 1;
  }

  add({ header, bytes, place }: JournalRecord, offset: number): void {
    this.last = header.lsn;
    const { lsn, octets, bodies } = header;
    if (header.type === FOLD) {
      const head = readFoldHead(new Unpacker(bytes, RECORD_HEADER));
      this.#folds.push({ ...head, lsn, offset, octets });
    }
    if (header.type !== COMMIT) return;
    const behind = RECORD_HEADER + bodies;
    const commit = unpackCommit(new Unpacker(bytes, behind), header.version, this.vault);
    const sum = crc32(bytes.subarray(behind), crc32(bytes.subarray(0, RECORD_HEADER)));
    const about = this.#about(commit);
    const { at, id } = commit;
    this.#commits.push({ lsn, offset, octets, bodies, sum, at, hasId: id !== undefined, about });
    for (const delta of commit.deltas) this.#point(delta, bytes, place);
  }

  #about({ deltas }: CommitRecord): [number, number][] {
    const about = new Map<number, number>();
    for (const delta of deltas) {
      for (const item of itemsOf(delta)) {
        let index = this.#items.get(item.key);
        if (index === undefined) {
          this.#items.set(item.key, (index = this.#list.length));
          this.#list.push(item);
        }
        about.set(index, (about.get(index) ?? 0) + octetsOf(delta));
      }
    }
    return [...about];
  }

  /** Bodies lie in the same commit, mostly; large ones, and parts of other messages, lie before it. */
  #point(delta: Delta, bytes: Buffer, place: number): void {
    const note = (pieces: readonly Piece[]) => {
      for (const piece of pieces) {
        if (piece instanceof Uint8Array) continue;
        const segment = segmentAt(piece.place);
        if (segment !== this.segment) this.#refs.add(segment);
      }
    };
    const own = (at: number, octets: number) => bytes.subarray(-at, -at + octets);
    if (delta.kind === 'rows') {
      const { place: places, placeOctets } = delta.rows;
      for (let i = 0; i < places.length; i++) {
        const at = places[i] as number;
        if (at < 0)
          note(unpackMessage(own(at, placeOctets[i] as number), place - at, this.vault).pieces);
      }
    } else if (delta.kind === 'record') {
      const { place: at, octets } = delta.record.kept;
      if (at < 0) note(unpackValue(own(at, octets), place - at, this.vault).content?.pieces ?? []);
    }
  }

  list(): SegmentList {
    const { segment, first, last } = this;
    return {
      ...{ segment, first, last },
      items: this.#list,
      folds: this.#folds,
      refs: [...this.#refs],
      commits: this.#commits,
    };
  }
}

/** Two parts: all but the commits, and these. */
export function packList(list: SegmentList): Uint8Array[] {
  const head = new Packer(4096);
  head.f64(list.first);
  head.f64(list.last);
  const octets = new Array<number>(list.items.length).fill(0);
  for (const { about } of list.commits) {
    for (const [item, more] of about) octets[item] = (octets[item] as number) + more;
  }
  head.varint(list.items.length);
  list.items.forEach((item, index) => {
    head.text(item.key);
    head.text(item.account);
    head.varint(octets[index] as number);
  });
  head.list(list.folds, (fold) => {
    head.text(fold.item.key);
    head.text(fold.item.account);
    head.f64(fold.asOf);
    head.varint(fold.part);
    head.varint(fold.parts);
    head.f64(fold.lsn);
    head.varint(fold.offset);
    head.varint(fold.octets);
  });
  head.list(list.refs, (segment) => head.varint(segment));
  const commits = new Packer(4096);
  let lsn = list.first;
  let end = 0;
  commits.list(list.commits, (commit) => {
    commits.varint(commit.lsn - lsn);
    commits.varint(commit.offset - end);
    commits.varint(commit.octets);
    commits.varint(commit.bodies);
    commits.u32(commit.sum);
    commits.f64(commit.at);
    commits.u8(commit.hasId ? 1 : 0);
    commits.list(commit.about, ([item, more]) => {
      commits.varint(item);
      commits.varint(more);
    });
    lsn = commit.lsn;
    end = commit.offset;
  });
  return [head.bytes, commits.bytes];
}

/** What a keeper has to know of every segment. */
export interface ListHead extends Omit<SegmentList, 'commits'> {
  /** Octets of changes of each item. */
  readonly octets: readonly number[];
}

function unpackHead(segment: number, from: Unpacker): ListHead {
  const first = from.f64();
  const last = from.f64();
  const octets: number[] = [];
  const item = (): Item => ({ key: from.text(), account: from.text() as AccountId });
  const items = from.list(() => {
    const one = item();
    octets.push(from.varint());
    return one;
  });
  const folds = from.list((): ListedFold => ({
    item: item(),
    asOf: from.f64(),
    part: from.varint(),
    parts: from.varint(),
    lsn: from.f64(),
    offset: from.varint(),
    octets: from.varint(),
  }));
  const refs = from.list(() => from.varint());
  return { segment, first, last, items, octets, folds, refs };
}

function unpackCommits(from: Unpacker, first: number): ListedCommit[] {
  let lsn = first;
  let offset = 0;
  return from.list(() => {
    lsn += from.varint();
    offset += from.varint();
    return {
      lsn,
      offset,
      octets: from.varint(),
      bodies: from.varint(),
      sum: from.u32(),
      at: from.f64(),
      hasId: from.u8() === 1,
      about: from.list(() => [from.varint(), from.varint()] as const),
    };
  });
}

/** The parts from `at` on; undefined: they are damaged. */
export function readHead(file: DiskFile, segment: number, at: number): ListHead | undefined {
  const part = readFramed(file, at);
  return part && unpacked(() => unpackHead(segment, part.from));
}

export function readList(file: DiskFile, segment: number, at: number): SegmentList | undefined {
  const part = readFramed(file, at);
  const rest = part && readFramed(file, part.next);
  return (
    part &&
    rest &&
    unpacked(() => {
      const head = unpackHead(segment, part.from);
      return { ...head, commits: unpackCommits(rest.from, head.first) };
    })
  );
}

function unpacked<T>(unpack: () => T): T | undefined {
  try {
    return unpack();
  } catch (error) {
    if (error instanceof UnpackError) return undefined;
    throw error;
  }
}

const MAGIC = Buffer.from('MSKLIST\n', 'latin1');

function header(segment: number, store: Uint8Array): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER);
  MAGIC.copy(bytes);
  bytes.writeUInt16LE(FORMAT, 8);
  bytes.writeUInt16LE(FORMAT, 10);
  bytes.writeUInt32LE(segment, 12);
  bytes.set(store, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** Not synced: one that does not survive is made anew. */
export function writeListFile(disk: Disk, list: SegmentList, store: Uint8Array): void {
  const name = listName(list.segment);
  const file = disk.open(`${name}.new`, 'write');
  try {
    file.truncate(0);
    file.write([header(list.segment, store), ...framed(packList(list))], 0);
  } finally {
    file.close();
  }
  disk.rename(`${name}.new`, name);
}

/** What `read` finds in the list file of a segment; undefined: there is none, or none that is to be trusted. */
export function withListFile<T>(
  disk: Disk,
  segment: number,
  store: Uint8Array,
  read: (file: DiskFile, segment: number, at: number) => T | undefined,
): T | undefined {
  let file: DiskFile;
  try {
    file = disk.open(listName(segment), 'read');
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER);
    file.read(bytes, 0);
    if (!bytes.equals(header(segment, store))) return undefined;
    return read(file, segment, SEGMENT_HEADER);
  } finally {
    file.close();
  }
}

/** Changes of a listed commit with all places known. @throws MailError CORRUPTION */
export function readListed(
  read: (into: Uint8Array, offset: number) => number,
  segment: number,
  { offset, octets, bodies, sum }: ListedCommit,
  vault: Vault | undefined,
): CommitRecord {
  const bytes = Buffer.allocUnsafe(RECORD_HEADER + octets - bodies);
  const head = bytes.subarray(0, RECORD_HEADER);
  const behind = bytes.subarray(RECORD_HEADER);
  const whole =
    read(head, offset) === head.length &&
    read(behind, offset + RECORD_HEADER + bodies) === behind.length;
  if (!whole || crc32(bytes) !== sum) throw damaged(segment, offset);
  const commit = unpackCommit(new Unpacker(bytes, RECORD_HEADER), bytes[15] as number, vault);
  return { ...commit, deltas: absolute(commit.deltas, placeOf(segment, offset)) };
}
