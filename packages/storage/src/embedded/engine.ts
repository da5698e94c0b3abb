/** A store on a journal, on any disk: what is there is replayed, what comes is appended. */
import { MailError, type Clock, type Disk } from '@mail-server-kit/core';
import { apply, goneWith, repeatOwner, type Delta, type Rules } from '../state/delta.ts';
import { Repeats } from '../state/repeats.ts';
import { StateStore, type StoreOptions } from '../state/store.ts';
import { Draft, World } from '../state/world.ts';
import type { CacheBudget } from './cache.ts';
import type { FactsIndex } from './facts.ts';
import { History } from './history.ts';
import { Journal } from './journal.ts';
import { COMMIT, MARK, RECORD_HEADER, SEGMENT_HEADER, readRecordHeader, seedOf } from './layout.js';
import type { Link } from './link.ts';
import { JournalMedium, absolute } from './medium.ts';
import { unpackCommit } from './pack-commit.ts';
import { Unpacker } from './pack.ts';
import { JournalReader } from './reader.ts';
import { createJournal, settleEnd } from './recover.ts';
import * as scanning from './scan.ts';
import { damaged, listSegments, openSegment, type Segment } from './segments.ts';
import { Keeper, type SpaceOptions, type SpaceStats } from './space/keeper.ts';
import type { Journaled } from './space/lists.ts';
import { rebuild } from './space/rebuild.ts';
import { FreeSpace } from './space/free-space.ts';
import { Stages } from './stages.ts';
import { Syncing, type SyncMode } from './syncing.ts';
import type { MasterKey } from './vault/master-key.ts';
import { openVault, settleKeys, type OpenVaultOptions } from './vault/open.ts';
import type { Vault } from './vault/vault.ts';

export interface EngineOptions extends OpenVaultOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly undeleteMs: number;
  readonly space: SpaceOptions;
  /** Octets of the disk that have to stay free, or nothing new is taken. */
  readonly reserveOctets: number;
  readonly segmentOctets: number;
  readonly maxStagedOctets: number;
  readonly sync: SyncMode;
  readonly cache: CacheBudget;
  /** Of a store with an index. */
  readonly facts?: FactsIndex;
  /** Makes the writer of the journal. */
  readonly link: (options: LinkOptions) => Link;
  /** Nothing on the disk is made or mended; the link has to refuse to write. */
  readonly readOnly?: boolean;
}

export interface LinkOptions {
  /** Of a new segment. */
  readonly octets: number;
  readonly store: Uint8Array;
  readonly generation: number;
  /** The last segment that is there. */
  readonly ready: number;
}

/** What a checkpoint remembers. */
export interface Base {
  readonly world: World;
  readonly repeats: Repeats;
  /** Where the first record lies that is not in it. */
  readonly position: scanning.Position;
}

/** The last checkpoint of the store with this id if it fits, or an empty base. */
export type FindBase = (
  store: Uint8Array,
  vault: Vault | undefined,
  /** Whether changes from there on can still be read. */
  fits: (position: scanning.Position) => boolean,
) => Promise<Base>;

/** @throws MailError CORRUPTION, with the place; CANNOT if a later version wrote it; NONEXISTENT if it is to be read and is not there */
export async function openJournalStore(
  options: EngineOptions,
  findBase: FindBase = async () => emptyBase(),
): Promise<JournalStore> {
  const { disk, segmentOctets, random, readOnly = false } = options;
  let segments = listSegments(disk);
  if (segments.size === 0 && readOnly) {
    throw new MailError('NONEXISTENT', 'There is no mail store in this directory');
  }
  const vault = await openVault([...segments.values()].at(-1)?.header.store, options);
  if (segments.size === 0) {
    createJournal(disk, segmentOctets, vault?.store ?? random.bytes(16));
    segments = listSegments(disk);
  }
  const { store, generation } = ([...segments.values()].at(-1) as Segment).header;
  const seed = seedOf(store);
  const fits = ({ segment }: scanning.Position) => !isCompactedFrom(segments, segment);
  const base = await findBase(store, vault, fits);
  const journaled = { disk, store, seed, vault };
  const sealed =
    base.position.lsn === 0
      ? rebuild(journaled, segments, base, options.rules, options.clock.now())
      : undefined;
  const from = sealed ? { ...base, position: sealed } : base;
  const { rules, facts } = options;
  const scanned = replay(disk, segments, from, { seed, vault, rules, facts });
  if (vault) settleKeys(vault, base.world, readOnly);
  const ready = readOnly
    ? ([...segments.keys()].at(-1) as number)
    : settleEnd(disk, segments, scanned, segmentOctets);
  const link = options.link({ octets: segmentOctets, store, generation, ready });
  const { segment, offset, lsn } = scanned.end;
  const capacity = (segments.get(segment) as Segment).octets;
  const tail = { segment, offset, lsn, capacity };
  const journal = new Journal({ link, tail, segmentOctets, seed });
  const history = historyOf(journaled, segments, journal);
  const { closed } = scanned;
  const found = { base, history, closed, vault, journaled, segments };
  return new JournalStore(options, { ...found, link, journal });
}

const isCompactedFrom = (segments: ReadonlyMap<number, Segment>, first: number): boolean =>
  [...segments].some(([number, { compacted }]) => compacted && number >= first);

export const emptyBase = (): Base => ({
  world: new World(),
  repeats: new Repeats(),
  position: { segment: 1, offset: SEGMENT_HEADER, lsn: 0 },
});

interface Replaying {
  readonly seed: number;
  readonly vault: Vault | undefined;
  readonly rules: Rules;
  readonly facts: FactsIndex | undefined;
}

function replay(
  disk: Disk,
  segments: ReadonlyMap<number, Segment>,
  { world, repeats, position }: Base,
  { seed, vault, rules, facts }: Replaying,
): scanning.Scanned {
  if (!segments.has(position.segment)) throw damaged(position.segment, 0);
  return scanning.scan(
    disk,
    segments,
    position,
    { seed, known: position.lsn, mark: MARK },
    (record) => {
      const { header, bytes, place } = record;
      if (header.type !== COMMIT) return;
      const commit = unpackCommit(
        new Unpacker(bytes, RECORD_HEADER + header.bodies),
        header.version,
        vault,
      );
      const draft = new Draft(world);
      const deltas = absolute(commit.deltas, place);
      for (const delta of deltas) apply(draft, delta, rules, commit.at);
      facts?.apply(deltas, place);
      draft.publish()();
      const { id, at, results } = commit;
      repeats.forget(goneWith(deltas));
      if (id !== undefined) {
        repeats.add({ id, at, lsn: header.lsn, results, account: repeatOwner(deltas) }, at);
      }
    },
  );
}

/** Tells where the commits after a position begin, without having read them. */
function historyOf(
  { disk, seed, vault }: Journaled,
  segments: ReadonlyMap<number, Segment>,
  journal: Journal,
): History {
  const history = new History(disk, seed, () => journal.durable, vault);
  for (const [segment, { octets }] of segments) {
    if (segment > journal.end.segment) break;
    const file = openSegment(disk, segment);
    if (file.kept) history.compacted(segment, file.kept.first, file.kept.forgotten);
    else {
      const head = Buffer.alloc(RECORD_HEADER);
      file.read(head, SEGMENT_HEADER);
      history.add(segment, readRecordHeader(head, 0).lsn || journal.end.lsn + 1, octets);
    }
    file.close();
  }
  return history;
}

interface Parts {
  readonly base: Base;
  readonly link: Link;
  readonly journal: Journal;
  readonly history: History;
  /** The journal ends with a mark. */
  readonly closed: boolean;
  readonly vault: Vault | undefined;
  readonly journaled: Journaled;
  readonly segments: ReadonlyMap<number, Segment>;
}

export class JournalStore extends StateStore {
  readonly journal: Journal;
  /** The keys, if the store is encrypted. */
  readonly vault: Vault | undefined;
  readonly #link: Link;
  readonly #reader: JournalReader;
  readonly #waiting: (() => void)[] = [];
  readonly #keeper: Keeper | undefined;
  /** LSN of the last record if that is a mark. */
  #marked: number;
  /** What else has to happen before the journal is closed. */
  beforeClose: () => Promise<void> = async () => {};
  afterClose: () => Promise<void> = async () => {};
  /** Brings the next start so far that segments before need not be replayed. */
  beforeCompact: () => Promise<void> = async () => {};
  /** The next start replays changes from this segment on. */
  replayed: () => number = () => Infinity;
  /** Called when commits have become durable and visible. */
  onDurable: () => void = () => {};

  constructor(options: EngineOptions, parts: Parts) {
    const { base, link, journal, history, closed, vault, journaled, segments } = parts;
    const { disk, maxStagedOctets: maxOctets, cache } = options;
    const reader = new JournalReader(disk, () => journal);
    const progress = () => new Promise<void>((resolve) => this.#waiting.push(resolve));
    const freeSpace = new FreeSpace(options);
    const sealed = vault !== undefined;
    const stages = new Stages({ journal, progress, maxOctets, freeSpace, sealed });
    const syncing = new Syncing(journal, options.sync, options.clock);
    const close = () => {
      syncing.stop();
      freeSpace.close();
      return this.#closeJournal();
    };
    const { facts } = options;
    const onCommit = (deltas: readonly Delta[]) => this.#keeper?.changed(deltas);
    const taken = { journal, reader, stages, syncing, freeSpace, onCommit };
    const about = { ...taken, cache, facts, close, vault };
    const medium = new JournalMedium(about);
    const { clock, log, rules, undeleteMs } = options;
    const { world, repeats } = base;
    const { lsn } = journal.end;
    const old: StoreOptions['history'] = async (after) => history.after(after);
    super(medium, { clock, log, rules, undeleteMs, world, repeats, lsn, history: old });
    this.journal = journal;
    this.vault = vault;
    this.#link = link;
    this.#reader = reader;
    this.#marked = closed ? lsn : 0;
    const { header } = [...segments.values()].at(-1) as Segment;
    journal.onSegment = (number, first, octets) => {
      freeSpace.look();
      history.add(number, first, octets);
      const segment = { header: { ...header, segment: number, octets }, octets, compacted: false };
      this.#keeper?.begun(number, segment);
    };
    if (!options.readOnly) {
      const there = new Map([...segments].filter(([number]) => number <= journal.end.segment));
      const staged = () => stages.pieces();
      const needed = () => this.replayed();
      this.#keeper = new Keeper({
        ...{ ...journaled, clock, log, world, journal, reader, history, progress },
        ...{ staged, needed, segments: there, ...options.space },
      });
    }
    link.onProgress = () => {
      this.advance();
      for (const resolve of this.#waiting.splice(0)) resolve();
      this.onDurable();
      this.#keeper?.advanced();
    };
  }

  /**
   * From now on `next` is the master key of the store. Wrapped keys are written anew, nothing else.
   * @throws MailError CANNOT if the store is not encrypted; UNAVAILABLE, or whatever `next` throws, if nothing was changed
   */
  async rotateMasterKey(next: MasterKey): Promise<void> {
    if (!this.vault) throw new MailError('CANNOT', 'The mail store is not encrypted');
    await this.vault.rotate(next);
  }

  /**
   * Frees what nobody needs any more, now and to the end: segments of which less than `below` (0 to 1) is needed.
   * @throws MailError UNAVAILABLE if the store was opened to be read
   */
  async compact(below?: number): Promise<SpaceStats> {
    if (!this.#keeper) throw new MailError('UNAVAILABLE', 'The store was opened to be read');
    await this.beforeCompact();
    return this.#keeper.compact(below);
  }

  /** What the journal takes on the disk, and about how much of that is needed. */
  stats(): SpaceStats {
    return this.#keeper?.stats() ?? { segments: 0, compacted: 0, octets: 0, live: 0 };
  }

  async #closeJournal(): Promise<void> {
    try {
      await this.#keeper?.close();
      await this.beforeClose();
      // What was not synced for each commit has to be on disk before the mark says so.
      await this.journal.settled(() => {});
      if (!this.#link.failed && this.journal.end.lsn !== this.#marked) await this.#mark();
    } finally {
      await this.#link.close();
      // A body that is still arriving finds out.
      for (const resolve of this.#waiting.splice(0)) resolve();
      this.#reader.close();
      await this.afterClose();
    }
  }

  /** Says that all before was durable: damage to the last group is then known from a torn end. */
  #mark(): Promise<void> {
    return new Promise<void>((resolve) => {
      const done = (error?: MailError) => {
        if (!error) this.#marked = this.journal.durable;
        resolve();
      };
      // Without room it is left out: the next start looks more closely, that is all.
      try {
        if (!this.journal.append([], { type: MARK, sync: true, freeing: true }, done)) resolve();
      } catch {
        resolve();
      }
    });
  }
}
