/**
 * The store for a server: one journal in a directory, or one in each of two on different disks, synced before a commit counts.
 *
 *     const store = await openEmbeddedStore('/var/lib/mail');
 *     const mirrored = await openEmbeddedStore(['/disk1/mail', '/disk2/mail']);
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import {
  MailError,
  silent,
  systemClock,
  type Clock,
  type Disk,
  type Log,
  type MailStore,
  type Random,
} from '@mail-server-kit/core';
import type { SearchIndex, SearchOptions } from '../search/index.ts';
import { checkUndeleteMs } from '../state/expunged.ts';
import { VANISHED_MS, VANISHED_RANGES } from '../state/mailbox.ts';
import { openJournalStore, type EngineOptions, type JournalStore } from './engine.ts';
import { CacheBudget } from './cache.ts';
import { Index } from './index-store.ts';
import { directoryPlace } from './mirror/directory.ts';
import type { ScrubReport, StoreEvent, StoreHealth } from './mirror/events.ts';
import { Mirror, type Surroundings } from './mirror/mirror.ts';
import { sideToRead } from './mirror/opening.ts';
import { ThreadRunner } from './mirror/runner.ts';
import type { Place, Side } from './mirror/sides.ts';
import { openReadOnly } from './read-only.ts';
import { rebuildMailbox } from './rebuild.ts';
import { attachSearch } from './search.ts';
import { checkSyncMode, type SyncMode } from './syncing.ts';
import type { MasterKey } from './vault/master-key.ts';
import type { Encryption } from './vault/open.ts';

export interface EmbeddedStoreOptions {
  /**
   * Octets of a journal file. Default 64 MiB; at least 64 KiB. Zeros are written ahead, so two of them lie there from the
   * start. A commit has to fit into one, or it is LIMIT: 62 octets for each message that is copied, so a million by default.
   */
  readonly segmentOctets?: number;
  /** Octets being received at one time, over all connections; an account or a client gets at most half of it. Default 256 MiB. */
  readonly maxStagedOctets?: number;
  /**
   * Octets of mailbox tables, message facts and small records kept in memory because they were used lately. What changed
   * since the last checkpoint is kept besides. Default 64 MiB.
   */
  readonly cacheBytes?: number;
  /** Ranges of expunged uids that a mailbox remembers (RFC 7162 section 3.2.5.2). Default 16,384. */
  readonly vanishedRanges?: number;
  /** Milliseconds for which it remembers them. Default 90 days. */
  readonly vanishedMs?: number;
  /** Milliseconds for which expunged messages can be brought back. Default 7 days, at least 10 minutes. */
  readonly undeleteMs?: number;
  /** Files of the journal of which less than this part (0 to 1) is needed are written anew without the rest. Default 0.5. */
  readonly compactBelow?: number;
  /** Octets that this may read and write in a second. Default 16 MiB. */
  readonly compactOctetsPerSecond?: number;
  /**
   * Octets of the disk that have to stay free: below it new mail is refused (FULL), while reading, flags, moving and deleting go
   * on. Default: four files of the journal.
   */
  readonly reserveOctets?: number;
  /** Milliseconds for which the stream of changes reaches back at least, though what they changed is freed. Default 7 days. */
  readonly changesMs?: number;
  /** Octets of journal after which a checkpoint is written: at most these are replayed after a crash. Default 64 MiB. */
  readonly checkpointOctets?: number;
  /** Also after so many milliseconds. Default 60,000. */
  readonly checkpointMs?: number;
  /** The index for SEARCH, in `search` beside the journal; it may be deleted. False: messages are read instead. */
  readonly search?: SearchOptions | false;
  /**
   * Nothing is written, no lock is taken: to look at a store beside the process that owns it, as it is at that moment, or at
   * a copy. Commits fail with UNAVAILABLE. The whole journal is read, for the index has one owner. Default false.
   */
  readonly readOnly?: boolean;
  /**
   * When a commit counts. 'always', the default: once it is on disk, so whatever was acknowledged survives a power cut.
   * `everyMs`: once it is written; it is synced at most so many milliseconds later, and a power cut or a crash of the system
   * loses what came last. 'never': the system decides when, which may be half a minute. A process that ends loses nothing
   * in any of them, a store that is closed is on disk, and what a power cut leaves is the store as it was at some moment.
   */
  readonly sync?: SyncMode;
  /**
   * Called with whatever whoever runs the store should know: a side of a mirror that is out, filled or whole again, damage,
   * progress. Everything is given to `log` too. It must not throw.
   */
  readonly onEvent?: (event: StoreEvent) => void;
  /** Milliseconds between two looks whether the directories are still there, or there again. Default 5000. */
  readonly watchMs?: number;
  /** A side of a mirror that has not written for so many milliseconds what the other has is left behind. Default 20,000. */
  readonly patienceMs?: number;
  /** Milliseconds between two scrubs, over restarts. 0: only `scrub()`. Default a week. */
  readonly scrubMs?: number;
  /** Octets that a scrub or the filling of a side reads or writes in a second. Default 50 MiB. */
  readonly copyOctetsPerSecond?: number;
  /**
   * Everything that tells of mail is encrypted, with keys in the directory `keys` that the master key wraps. To be chosen
   * when the store is new. Default: nothing is encrypted.
   */
  readonly encryption?: Encryption;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

/** A MailStore in a directory of its own, or in two. */
export interface EmbeddedStore extends MailStore, Pick<JournalStore, 'compact' | 'stats'> {
  /** Not there with `search: false`, and when it is only read. */
  readonly searchIndex?: SearchIndex;
  /** How its directories are. */
  health(): StoreHealth;
  /**
   * Compares the checksums of everything and heals what is damaged from the other side of a mirror. Progress and findings are
   * events. While one is under way, asking again gives its report.
   * @throws the reason if the store is closed meanwhile
   */
  scrub(): Promise<ScrubReport>;
  /**
   * From now on `next` is the master key. Wrapped keys are written anew, nothing else. Keep both until it resolves: a crash
   * may leave either.
   * @throws MailError CANNOT if the store is not encrypted; UNAVAILABLE, or whatever `next` throws, if nothing was changed
   */
  rotateMasterKey(next: MasterKey): Promise<void>;
}

const MIB = 1_048_576;

/**
 * `directories`: one, or the two sides of a mirror. A side that is missing, empty or behind is filled while the other serves;
 * `health()` says so.
 * @throws MailError UNAVAILABLE if another process owns a directory (its number is in the text), no directory can be used or
 *   the thread that writes the journal cannot start; CORRUPTION if the journal is damaged on every side, with segment and
 *   offset; CANNOT if a later version wrote it, the directories are not two sides of one store, it is encrypted and no master
 *   key is given, or the other way round; NOPERM if the master key is another one; NONEXISTENT if it is to be read only and
 *   not there
 */
export async function openEmbeddedStore(
  directories: string | readonly [string] | readonly [string, string],
  options: EmbeddedStoreOptions = {},
): Promise<EmbeddedStore> {
  const engine = withDefaults(options);
  const places = placesOf(directories, engine.log);
  if (options.readOnly) return readOnly(await openReadOnly(sideToRead(places), engine));
  const world = { ...engine, onEvent: options.onEvent ?? (() => {}) };
  const mirror = new Mirror(places, world);
  const indexOf = ({ directory }: Place) => path.join(directory, 'index');
  const index = new Index({
    directories: mirror.sides.whole.map(({ place }) => indexOf(place)),
    log: engine.log,
    cache: engine.cache,
    rebuild: (id, lsn, vault) =>
      rebuildMailbox(mirror.disk, { id, lsn, vault, rules: engine.rules }),
  });
  try {
    const link: EngineOptions['link'] = (about) => mirror.link(about);
    let id: Uint8Array = new Uint8Array(16);
    const keys = {
      keyDisks: mirror.keyDisks(engine.encryption !== undefined),
      keyDiskLost: (disk: Disk, error: unknown) => mirror.keyDiskLost(disk, error),
    };
    const around = { ...keys, disk: mirror.disk, link, facts: index.facts };
    const store = await openJournalStore({ ...engine, ...around }, async (of, vault, fits) => {
      id = of;
      mirror.begin(of);
      const base = await index.load(of, vault, fits);
      mirror.settle(base.position.segment, of);
      return base;
    });
    await running(mirror);
    keepCheckpoints(store, index, {
      octets: options.checkpointOctets ?? 64 * MIB,
      everyMs: options.checkpointMs ?? 60_000,
      clock: engine.clock,
    });
    if (options.search !== false) {
      const { clock, log } = engine;
      const directory = (mirror.sides.whole[0] as Side).place.directory;
      attachSearch(store, { directory, id, search: options.search ?? {}, clock, log });
    }
    return kept(store, mirror, {
      ...{
        journal: store.journal,
        runner: new ThreadRunner(options.copyOctetsPerSecond ?? 50 * MIB),
      },
      ...{ watchMs: options.watchMs ?? 5000, patienceMs: options.patienceMs ?? 20_000 },
      scrubMs: options.scrubMs ?? 7 * 86_400_000,
      addKeys: ({ place }) => store.vault?.addDisk(place.other('keys')),
      addIndex: ({ place }) => index.add(indexOf(place)),
      dropIndex: ({ place }) => index.drop(indexOf(place)),
      scrubIndex: () => index.scrub(),
    });
  } catch (error) {
    await mirror.abandon();
    await index.close().catch(() => {});
    mirror.release();
    throw error;
  }
}

function placesOf(directories: string | readonly string[], log: Log): Place[] {
  const all = typeof directories === 'string' ? [directories] : directories;
  if (all.length < 1 || all.length > 2) throw new TypeError('a store has one directory or two');
  if (new Set(all.map((each) => path.resolve(each))).size < all.length) {
    throw new TypeError('the two sides of a mirror are different directories');
  }
  return all.map((directory) => directoryPlace(directory, log));
}

/** The store with what looks after its sides. */
export function kept(store: JournalStore, mirror: Mirror, around: Surroundings): EmbeddedStore {
  const { beforeClose, onDurable } = store;
  store.beforeClose = async () => {
    await mirror.close();
    await beforeClose();
  };
  store.onDurable = () => {
    onDurable();
    mirror.progressed();
  };
  store.afterClose = async () => mirror.release();
  mirror.keep(around);
  return Object.assign(store, {
    health: () => mirror.health(),
    scrub: () => mirror.scrub(),
  });
}

function readOnly(store: MailStore & JournalStore): EmbeddedStore {
  return Object.assign(store, {
    health: (): StoreHealth => ({ state: 'read-only', sides: [], damage: [] }),
    scrub: (): Promise<ScrubReport> =>
      Promise.reject(new MailError('UNAVAILABLE', 'The store was opened to be read')),
  });
}

async function running(mirror: Mirror): Promise<void> {
  try {
    await mirror.started();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MailError('UNAVAILABLE', `The thread of the journal cannot start: ${reason}`, {
      cause: error,
    });
  }
}

/** A checkpoint bounds what the next start has to replay: by octets of journal, and by time. */
export function keepCheckpoints(
  store: JournalStore,
  index: Index,
  { octets, everyMs, clock }: { octets: number; everyMs: number; clock: Clock },
): void {
  const { journal } = store;
  let next = journal.appended + octets;
  const checkpoint = () => {
    next = journal.appended + octets;
    return journal.settled(() => index.checkpoint(journal.durableEnd));
  };
  let cancel = () => {};
  const later = () => {
    cancel = clock.after(everyMs, () => {
      void checkpoint();
      later();
    });
  };
  later();
  store.onDurable = () => {
    if (journal.appended >= next) void checkpoint();
  };
  store.replayed = () => index.replayed;
  store.beforeCompact = checkpoint;
  store.beforeClose = async () => {
    cancel();
    await checkpoint();
    await index.close();
  };
}

export function withDefaults(options: EmbeddedStoreOptions): Omit<EngineOptions, 'disk' | 'link'> {
  const { segmentOctets = 64 * MIB } = options;
  if (!(segmentOctets >= 65_536 && segmentOctets < 2 ** 31)) {
    throw new TypeError('segmentOctets is at least 64 KiB and below 2 GiB');
  }
  return {
    segmentOctets: Math.ceil(segmentOctets / 4096) * 4096,
    maxStagedOctets: options.maxStagedOctets ?? 256 * MIB,
    sync: checkSyncMode(options.sync),
    cache: new CacheBudget(options.cacheBytes ?? 64 * MIB),
    rules: {
      vanishedRanges: options.vanishedRanges ?? VANISHED_RANGES,
      vanishedMs: options.vanishedMs ?? VANISHED_MS,
    },
    undeleteMs: checkUndeleteMs(options.undeleteMs),
    reserveOctets: options.reserveOctets ?? 4 * segmentOctets,
    space: {
      compactBelow: options.compactBelow ?? 0.5,
      compactOctetsPerSecond: options.compactOctetsPerSecond ?? 16 * MIB,
      changesMs: options.changesMs ?? 7 * 86_400_000,
    },
    clock: options.clock ?? systemClock,
    random: options.random ?? { bytes: (count) => randomBytes(count) },
    log: options.log ?? silent,
    ...(options.encryption ? { encryption: options.encryption } : {}),
  };
}
