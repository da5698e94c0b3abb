/** Old changes, read from the journal. */
import { MailError, type Disk } from '@mail-server-kit/core';
import { changesOf, type Told } from '../state/feed.ts';
import { COMMIT, RECORD_HEADER, SEGMENT_HEADER, aligned } from './layout.js';
import { unpackCommit } from './pack-commit.ts';
import { Unpacker } from './pack.ts';
import type { Vault } from './vault/vault.ts';
import { SegmentReader, type JournalRecord } from './scan.ts';
import { damaged, openSegment, type Kept } from './segments.ts';
import { readList, readListed } from './space/list.ts';

interface Known {
  readonly segment: number;
  readonly octets: number;
  /** LSN of its first record. */
  readonly first: number;
  /** Only some of its commits are left. */
  readonly compacted: boolean;
}

/** Octets of the journal read at one time, before others get their turn. */
const STEP = 4 * 1_048_576;

export class History {
  /** Ascending. */
  readonly #segments: Known[] = [];
  /** Where the last page ended, so that the next one need not be looked for. */
  #resume: { lsn: number; segment: number; offset: number } | undefined;

  /** Commits up to this LSN are not all there any more. */
  #forgotten = 0;

  constructor(
    readonly disk: Disk,
    readonly seed: number,
    /** Everything up to here may be read. */
    readonly durable: () => number,
    readonly vault: Vault | undefined,
  ) {}

  add(segment: number, first: number, octets: number): void {
    this.#segments.push({ segment, first, octets, compacted: false });
  }

  /** A segment was compacted, or is: with it commits up to `forgotten`, unless that is 0. */
  compacted(segment: number, first: number, forgotten: number): void {
    const index = this.#segments.findIndex((known) => known.segment === segment);
    const known = { segment, first, octets: 0, compacted: true };
    if (index < 0) this.#segments.push(known);
    else this.#segments[index] = known;
    this.#forgotten = Math.max(this.#forgotten, forgotten);
    this.#resume = undefined;
  }

  /** LSN of the first record of a segment. */
  firstOf(segment: number): number {
    return this.#segments.find((known) => known.segment === segment)?.first ?? 0;
  }

  /** Commits after `lsn`; empty: there are none that are durable. @throws MailError FORGOTTEN if there were more */
  after(lsn: number): Told[] {
    if (lsn < this.#forgotten) {
      throw new MailError('FORGOTTEN', 'Changes so old are forgotten');
    }
    const told: Told[] = [];
    let at = this.#begin(lsn);
    const end = this.durable();
    while (told.length === 0 && at) at = this.#page(at, lsn, end, told);
    return told;
  }

  #begin(lsn: number): { index: number; offset: number; next: number } | undefined {
    const resume = this.#resume;
    if (resume?.lsn === lsn) {
      const index = this.#segments.findIndex(({ segment }) => segment === resume.segment);
      if (index >= 0) return { index, offset: resume.offset, next: lsn + 1 };
    }
    let index = this.#segments.findIndex(({ first }) => first > lsn + 1);
    index = (index < 0 ? this.#segments.length : index) - 1;
    const known = this.#segments[Math.max(0, index)];
    if (!known) return undefined;
    return { index: Math.max(0, index), offset: SEGMENT_HEADER, next: known.first };
  }

  /** Reads on; returns where it stopped, undefined at the end. */
  #page(
    { index, offset, next }: { index: number; offset: number; next: number },
    after: number,
    end: number,
    told: Told[],
  ): { index: number; offset: number; next: number } | undefined {
    const { segment, octets, compacted } = this.#segments[index] as Known;
    if (compacted) return this.#listed(index, after, told);
    const reader = new SegmentReader(this.disk, segment, octets);
    try {
      let at = offset;
      let lsn = next;
      while (at - offset < STEP && lsn <= end) {
        const record = reader.record(at, lsn, this.seed);
        if (record === 'bad') throw damaged(segment, at);
        if (record === 'end') {
          return this.#segments[index + 1]
            ? { index: index + 1, offset: SEGMENT_HEADER, next: lsn }
            : undefined;
        }
        at = aligned(at + record.bytes.length);
        if (record.header.type === COMMIT && lsn > after) {
          told.push(tellOf(record, this.vault));
          this.#resume = { lsn, segment, offset: at };
        }
        lsn++;
      }
      return lsn > end ? undefined : { index, offset: at, next: lsn };
    } finally {
      reader.close();
    }
  }

  /** What is left in a compacted segment. */
  #listed(
    index: number,
    after: number,
    told: Told[],
  ): { index: number; offset: number; next: number } | undefined {
    const { segment } = this.#segments[index] as Known;
    const file = openSegment(this.disk, segment);
    try {
      const at = (file.kept as Kept).list;
      const list = readList(file.file, segment, at);
      if (!list) throw damaged(segment, at);
      for (const listed of list.commits) {
        if (listed.lsn <= after) continue;
        const read = (into: Uint8Array, offset: number) => file.read(into, offset);
        const commit = readListed(read, segment, listed, this.vault);
        const changes = changesOf(commit.deltas, listed.lsn, commit.at);
        told.push({ lsn: listed.lsn, changes });
      }
      if (!this.#segments[index + 1]) return undefined;
      return { index: index + 1, offset: SEGMENT_HEADER, next: list.last + 1 };
    } finally {
      file.close();
    }
  }
}

function tellOf({ header, bytes }: JournalRecord, vault: Vault | undefined): Told {
  const { at, deltas } = unpackCommit(
    new Unpacker(bytes, RECORD_HEADER + header.bodies),
    header.version,
    vault,
  );
  return { lsn: header.lsn, changes: changesOf(deltas, header.lsn, at) };
}
