/**
 * Keeps the journal small, behind everybody's back: makes lists of sealed segments, folds what has changed more than it is
 * large, and compacts segments that hold little that is still needed. One thing at a time, and never in the way of the writer.
 */
import { isMailError, type Clock, type Log } from '@mail-server-kit/core';
import type { Delta } from '../../state/delta.ts';
import type { Piece } from '../../state/pieces.ts';
import { REMEMBERED_MS } from '../../state/repeats.ts';
import type { World } from '../../state/world.ts';
import type { History } from '../history.ts';
import type { Journal } from '../journal.ts';
import { FOLD, segmentName } from '../layout.js';
import { Packer } from '../pack.ts';
import type { JournalReader } from '../reader.ts';
import { openSegment, type Segment } from '../segments.ts';
import { checkKept, compactSegment } from './compact.ts';
import { packFold } from './fold-form.ts';
import { foldSteps, inParts, tableOctets } from './fold.ts';
import { Folds } from './folds.ts';
import { itemsOf, octetsOf, type Item, type ItemKey } from './items.ts';
import { makeList, writeListFile, type ListedCommit, type SegmentList } from './list.ts';
import { findHead, findList, readFoldPart, type Journaled } from './lists.ts';
import { mark, survey } from './mark.ts';
import { Pace, Stopped } from './pace.ts';

export interface SpaceOptions {
  /** A segment is compacted when less than this part of it is needed: 0 to 1. */
  readonly compactBelow: number;
  /** Octets that the background reads and writes in a second. */
  readonly compactOctetsPerSecond: number;
  /** Changes are told for so many milliseconds at least. */
  readonly changesMs: number;
}

export interface KeeperOptions extends SpaceOptions, Journaled {
  readonly clock: Clock;
  readonly log: Log;
  readonly world: World;
  readonly journal: Journal;
  readonly reader: JournalReader;
  readonly history: History;
  /** What is being received or waits for a commit. */
  readonly staged: () => Iterable<Piece>;
  /** Resolves when the writer has got further. */
  readonly progress: () => Promise<void>;
  /** Those that are there. */
  readonly segments: ReadonlyMap<number, Segment>;
  /** The next start reads changes from this segment on, so what is in it and later has to stay as it is. */
  readonly needed: () => number;
}

/** What the journal takes, and how much of that is needed. */
export interface SpaceStats {
  readonly segments: number;
  readonly compacted: number;
  /** Of all files of the journal. */
  readonly octets: number;
  /** About how many of them are needed; what is not is freed by a compaction. */
  readonly live: number;
}

/** A segment as the keeper knows it. */
interface Known {
  readonly segment: Segment;
  /** Of its file. */
  octets: number;
  /** Of the segments that it points to. Undefined: there is no list yet. */
  refs: readonly number[] | undefined;
  /** Octets that are needed, as far as was found out. */
  live: number;
  /** Those of them that only an exact look sees: chunks of large bodies, changes, folds. */
  unseen: number;
  /** Of a compacted one: octets of its file that say what it holds. */
  overhead: number;
}

/** A fold of something smaller than this is not worth a record. */
const LEAST_FOLD = 8192;
/** Octets of a part of a fold. */
const PART = 262_144;
/** Octets that may be on their way to the disk while a fold is written, so that commits find the writer free. */
const BACKLOG = 2 * PART;
/** How often it is looked whether something should be compacted. */
const LOOK_MS = 600_000;

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #known = new Map<number, Known>();
  readonly #folds: Folds;
  /** Octets of changes since the last fold. */
  readonly #since = new Map<ItemKey, number>();
  readonly #toFold = new Map<ItemKey, Item>();
  #pace: Pace;
  #work: Promise<void> = Promise.resolve();
  #busy = false;
  #started = false;
  #listed = 0;
  #cancel = () => {};

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#folds = new Folds((part) => readFoldPart(options, part));
    this.#pace = new Pace(options.clock, options.compactOctetsPerSecond);
    for (const [number, segment] of options.segments) this.#know(number, segment);
    this.#lookLater();
  }

  #know(number: number, segment: Segment): void {
    const { octets } = segment;
    this.#known.set(number, {
      segment,
      octets,
      refs: undefined,
      live: octets,
      unseen: 0,
      overhead: 0,
    });
  }

  #lookLater(): void {
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#later(() => this.#compact(this.#options.compactBelow));
      this.#lookLater();
    });
  }

  /** A segment was begun. */
  begun(number: number, segment: Segment): void {
    this.#know(number, segment);
  }

  /** Changes were given to the journal. */
  changed(deltas: readonly Delta[]): void {
    for (const delta of deltas) {
      for (const item of itemsOf(delta)) this.#count(item, octetsOf(delta));
    }
  }

  #count(item: Item, octets: number): void {
    const since = (this.#since.get(item.key) ?? 0) + octets;
    this.#since.set(item.key, since);
    if (since >= LEAST_FOLD) this.#toFold.set(item.key, item);
  }

  /** More has become durable. */
  advanced(): void {
    const { journal } = this.#options;
    const sealed = journal.durableEnd.segment - 1;
    if (this.#busy || this.#pace.stopped) return;
    if (this.#toFold.size === 0 && (sealed <= this.#listed || sealed < 1)) return;
    this.#busy = true;
    this.#later(async () => {
      try {
        await this.#start();
        await this.#listSealed();
        await this.#foldAll();
      } finally {
        this.#busy = false;
      }
    });
  }

  /** One thing after the other; what fails is told and given up. */
  #later(work: () => Promise<void>): Promise<void> {
    return (this.#work = this.#work.then(async () => {
      if (this.#pace.stopped) return;
      try {
        await work();
      } catch (error) {
        this.#failed(error);
      }
    }));
  }

  #failed(error: unknown): void {
    // A journal that failed has told of it, and a full disk too.
    if (error instanceof Stopped || isMailError(error, 'UNAVAILABLE', 'UNKNOWN')) return;
    const level = isMailError(error, 'CORRUPTION') ? 'error' : 'warn';
    this.#options.log({ level, service: 'storage', event: 'space was not freed', error });
  }

  /** What was folded before, and how much has changed since. */
  async #start(): Promise<void> {
    if (this.#started) return;
    const heads = [];
    for (const [number, known] of this.#known) {
      if (number >= this.#options.journal.durableEnd.segment) break;
      const head = findHead(this.#options, number, known.segment);
      if (!head) break;
      this.#listed = number;
      known.refs = head.refs;
      if (known.segment.compacted) known.octets = this.#fileOctets(number);
      for (const fold of head.folds) this.#folds.add({ ...fold, segment: number });
      heads.push(head);
      await this.#pace.spend(1024);
    }
    for (const { items, octets, last } of heads) {
      items.forEach((item, index) => {
        if (!this.#folds.isDead(item, last)) this.#count(item, octets[index] as number);
      });
    }
    this.#started = true;
  }

  #fileOctets(number: number): number {
    const file = openSegment(this.#options.disk, number);
    try {
      return file.file.size();
    } finally {
      file.close();
    }
  }

  async #listSealed(): Promise<void> {
    const { journal, disk, store } = this.#options;
    while (this.#listed + 1 < journal.durableEnd.segment) {
      const number = this.#listed + 1;
      const known = this.#known.get(number);
      if (!known) return;
      const list = await this.#list(number, known.segment);
      if (!known.segment.compacted) writeListFile(disk, list, store);
      known.refs = list.refs;
      for (const fold of list.folds) this.#folds.add({ ...fold, segment: number });
      this.#listed = number;
    }
  }

  /** Reads the whole segment, so that what is wrong with it is found. @throws MailError CORRUPTION */
  async #list(number: number, segment: Segment): Promise<SegmentList> {
    const { disk, seed, history, vault } = this.#options;
    if (segment.compacted) {
      await checkKept(disk, number, this.#pace);
      return findList(this.#options, number, segment) as SegmentList;
    }
    const first = history.firstOf(number);
    const making = makeList(disk, { segment: number, octets: segment.octets, first, seed, vault });
    for (;;) {
      const { done, value } = making.next();
      if (done) return value;
      // Commits come first: read as fast as it can, a segment would take a sixth of the time that they have.
      await this.#pace.spend(value);
    }
  }

  async #foldAll(): Promise<void> {
    for (const [key, item] of this.#toFold) {
      this.#toFold.delete(key);
      const table = tableOctets(this.#options.world, item);
      const since = this.#since.get(key) ?? 0;
      // So at most as much is written for folds as for changes.
      if (table === undefined || since < Math.max(table, LEAST_FOLD)) continue;
      await this.#fold(item);
    }
  }

  async #fold(item: Item): Promise<void> {
    const { world, journal, vault } = this.#options;
    const most = Math.min(PART, Math.floor(journal.maxPayload / 2));
    // In one moment: what is durable now is all that is up to this LSN.
    const steps = foldSteps(world, item, most);
    const asOf = journal.durable;
    this.#since.set(item.key, 0);
    const parts = inParts(steps, most);
    for (const [part, inside] of parts.entries()) {
      const packer = new Packer(most);
      const deltas = inside.map(({ make }) => make());
      packFold(packer, { item, asOf, part, parts: parts.length }, deltas, vault);
      await this.#append(packer.bytes);
      await this.#pace.spend(0);
    }
  }

  /** Not synced: it counts once its segment is sealed. */
  async #append(bytes: Uint8Array): Promise<void> {
    const { journal, progress } = this.#options;
    for (;;) {
      if (this.#pace.stopped) throw new Stopped();
      if (journal.backlog < BACKLOG) {
        const placed = journal.append([{ bytes }], { type: FOLD, sync: false }, () => {});
        if (placed) return;
      }
      await progress();
    }
  }

  /** Now, to the end, as fast as it can: everything of which less than `below` is needed. */
  async compact(below = this.#options.compactBelow): Promise<SpaceStats> {
    const { octetsPerSecond } = this.#pace;
    this.#pace.octetsPerSecond = Infinity;
    this.#pace.hurry();
    try {
      await this.#later(async () => {
        await this.#start();
        await this.#listSealed();
        await this.#compact(below);
      });
    } finally {
      this.#pace.octetsPerSecond = octetsPerSecond;
    }
    return this.stats();
  }

  stats(): SpaceStats {
    let compacted = 0;
    let octets = 0;
    let live = 0;
    for (const known of this.#known.values()) {
      if (known.segment.compacted) compacted++;
      octets += known.octets;
      live += Math.min(known.octets, known.live);
    }
    return { segments: this.#known.size, compacted, octets, live };
  }

  async #compact(below: number): Promise<void> {
    await this.#start();
    const live = await survey(this.#options.world, this.#pace);
    const chosen: number[] = [];
    const end = Math.min(this.#listed + 1, this.#options.needed());
    for (const [number, known] of this.#known) {
      if (number >= end) continue;
      const whole = known.octets - known.overhead;
      known.live = Math.min(whole, (live.get(number) ?? 0) + known.unseen);
      if (known.live < whole && known.live < known.octets * below) chosen.push(number);
    }
    // The emptiest first: on a full disk each makes room for the next.
    const share = (number: number) => {
      const known = this.#known.get(number) as Known;
      return known.live / known.octets;
    };
    chosen.sort((a, b) => share(a) - share(b));
    for (let from = 0; from < chosen.length; from += 16) {
      await this.#compactSome(chosen.slice(from, from + 16), below, live);
    }
  }

  async #compactSome(
    numbers: readonly number[],
    below: number,
    rough: ReadonlyMap<number, number>,
  ): Promise<void> {
    const { world, journal, reader, staged, vault } = this.#options;
    const chosen = new Set(numbers);
    const looked = (segment: number) =>
      chosen.has(segment) ||
      (this.#known.get(segment)?.refs?.some((each) => chosen.has(each)) ?? true);
    const bodies = await mark(chosen, looked, { world, reader, staged, vault, pace: this.#pace });
    // A power cut must not bring back what points to something freed: whatever gave it up has to be on disk, not only to count.
    if (!(await journal.settled(() => true))) return;
    for (const [number, ranges] of bodies) {
      const known = this.#known.get(number) as Known;
      const { header } = known.segment;
      const list = await this.#list(number, known.segment);
      const result = await compactSegment({
        ...{ disk: this.#options.disk, header, list, bodies: ranges, pace: this.#pace },
        isAlive: (commit) => this.#isAlive(list, commit),
        isCurrent: (fold) => this.#folds.isCurrent(fold),
        needs: this.#folds.lastSegment(),
        most: known.octets * below,
      });
      known.unseen = Math.max(0, result.live - (rough.get(number) ?? 0));
      known.live = result.live;
      if (result.octets === undefined) continue;
      this.#known.set(number, {
        ...known,
        segment: { ...known.segment, compacted: true },
        octets: result.octets,
        overhead: result.octets - result.live,
      });
      reader.reopen(number);
      this.#options.history.compacted(number, list.first, result.forgotten);
      const details = { file: segmentName(number), from: known.octets, to: result.octets };
      this.#options.log({
        level: 'info',
        service: 'storage',
        event: 'segment compacted',
        ...details,
      });
    }
  }

  #isAlive({ items }: SegmentList, { lsn, at, hasId, about }: ListedCommit): boolean {
    const age = this.#options.clock.now() - at;
    if (age < this.#options.changesMs || (hasId && age <= REMEMBERED_MS)) return true;
    return about.some(([item]) => !this.#folds.isDead(items[item] as Item, lsn));
  }

  async close(): Promise<void> {
    this.#cancel();
    this.#pace.stop();
    await this.#work;
  }
}
