/** A store on a journal, on any disk: what is there is replayed, what comes is appended. */
import { MailError, type Clock, type Disk } from '@mail-server-kit/core';
import { apply, goneWith, repeatOwner, type Rules } from '../state/delta.ts';
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
import { damaged, listSegments, type Segment } from './segments.ts';
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

/** The last checkpoint of the store with this id, or an empty base. */
export type FindBase = (store: Uint8Array, vault: Vault | undefined) => Promise<Base>;

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
  const base = await findBase(store, vault);
  const scanned = replay(disk, segments, base, {
    ...{ seed, vault },
    rules: options.rules,
    facts: options.facts,
  });
  if (vault) settleKeys(vault, base.world, readOnly);
  const ready = readOnly
    ? ([...segments.keys()].at(-1) as number)
    : settleEnd(disk, segments, scanned, segmentOctets);
  const link = options.link({ octets: segmentOctets, store, generation, ready });
  const { segment, offset, lsn } = scanned.end;
  const capacity = (segments.get(segment) as Segment).octets;
  const tail = { segment, offset, lsn, capacity };
  const journal = new Journal({ link, tail, segmentOctets, seed });
  const history = historyOf(disk, segments, journal, { seed, vault });
  const { closed } = scanned;
  return new JournalStore(options, { base, link, journal, history, closed, vault });
}

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
  disk: Disk,
  segments: ReadonlyMap<number, Segment>,
  journal: Journal,
  { seed, vault }: { seed: number; vault: Vault | undefined },
): History {
  const history = new History(disk, seed, () => journal.durable, vault);
  for (const [segment, { octets }] of segments) {
    if (segment > journal.end.segment) break;
    const reader = new scanning.SegmentReader(disk, segment, octets);
    const head = reader.bytes(SEGMENT_HEADER, RECORD_HEADER);
    const first = head.length < RECORD_HEADER ? 0 : readRecordHeader(head, 0).lsn;
    history.add(segment, first || journal.end.lsn + 1, octets);
    reader.close();
  }
  journal.onSegment = (segment, lsn, octets) => history.add(segment, lsn, octets);
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
}

export class JournalStore extends StateStore {
  readonly journal: Journal;
  /** The keys, if the store is encrypted. */
  readonly vault: Vault | undefined;
  readonly #link: Link;
  readonly #reader: JournalReader;
  readonly #waiting: (() => void)[] = [];
  /** LSN of the last record if that is a mark. */
  #marked: number;
  /** What else has to happen before the journal is closed. */
  beforeClose: () => Promise<void> = async () => {};
  afterClose: () => Promise<void> = async () => {};
  /** Called when commits have become durable and visible. */
  onDurable: () => void = () => {};

  constructor(options: EngineOptions, { base, link, journal, history, closed, vault }: Parts) {
    const { disk, maxStagedOctets: maxOctets, cache } = options;
    const reader = new JournalReader(disk, () => journal);
    const progress = () => new Promise<void>((resolve) => this.#waiting.push(resolve));
    const stages = new Stages({ journal, progress, maxOctets, sealed: vault !== undefined });
    const syncing = new Syncing(journal, options.sync, options.clock);
    const close = () => {
      syncing.stop();
      return this.#closeJournal();
    };
    const { facts } = options;
    const about = { journal, reader, stages, syncing, cache, facts, close, vault };
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
    link.onProgress = () => {
      this.advance();
      for (const resolve of this.#waiting.splice(0)) resolve();
      this.onDurable();
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

  async #closeJournal(): Promise<void> {
    try {
      await this.beforeClose();
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
