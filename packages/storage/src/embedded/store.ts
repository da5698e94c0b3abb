/**
 * The store for a server: one journal in a directory, synced before a commit counts.
 *
 *     const store = await openEmbeddedStore('/var/lib/mail');
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  MailError,
  silent,
  systemClock,
  type Clock,
  type Log,
  type MailStore,
  type Random,
} from '@mail-server-kit/core';
import type { SearchIndex, SearchOptions } from '../search/index.ts';
import { checkUndeleteMs } from '../state/expunged.ts';
import { VANISHED_MS, VANISHED_RANGES } from '../state/mailbox.ts';
import {
  openJournalStore,
  type EngineOptions,
  type JournalStore,
  type LinkOptions,
} from './engine.ts';
import { CacheBudget } from './cache.ts';
import { Index } from './index-store.ts';
import { lockDirectory } from './lock.ts';
import { nodeDisk } from './node-disk.js';
import { openReadOnly } from './read-only.ts';
import { rebuildMailbox } from './rebuild.ts';
import { attachSearch } from './search.ts';
import { checkSyncMode, type SyncMode } from './syncing.ts';
import { ThreadLink } from './thread-link.ts';

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
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

/** A MailStore in a directory of its own. */
export interface EmbeddedStore extends MailStore {
  /** Not there with `search: false`, and when it is only read. */
  readonly searchIndex?: SearchIndex;
}

const MIB = 1_048_576;

/**
 * @throws MailError UNAVAILABLE if another process owns the directory (its number is in the text) or the thread that writes
 *   the journal cannot start; CORRUPTION if the journal
 *   is damaged, with segment and offset; CANNOT if a later version wrote it; NONEXISTENT if it is to be read only and not there
 */
export async function openEmbeddedStore(
  directory: string,
  options: EmbeddedStoreOptions = {},
): Promise<EmbeddedStore> {
  const engine = withDefaults(options);
  if (options.readOnly) return openReadOnly(directory, engine);
  const journal = path.join(directory, 'journal');
  fs.mkdirSync(journal, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  const disk = nodeDisk(journal);
  const index = new Index({
    directory: path.join(directory, 'index'),
    log: engine.log,
    cache: engine.cache,
    rebuild: (id, lsn, vault) => rebuildMailbox(disk, { id, lsn, vault, rules: engine.rules }),
  });
  let thread: ThreadLink | undefined;
  try {
    const link = (about: LinkOptions) =>
      (thread = new ThreadLink({ ...about, directory: journal }, engine.log));
    let id: Uint8Array = new Uint8Array(16);
    const store = await openJournalStore({ ...engine, disk, link }, (of, vault) => {
      id = of;
      return index.load(of, vault);
    });
    await running(thread);
    keepCheckpoints(store, index, {
      octets: options.checkpointOctets ?? 64 * MIB,
      everyMs: options.checkpointMs ?? 60_000,
      clock: engine.clock,
    });
    store.afterClose = async () => unlock();
    if (options.search === false) return store;
    const { clock, log } = engine;
    return attachSearch(store, { directory, id, search: options.search ?? {}, clock, log });
  } catch (error) {
    await thread?.close();
    await index.close().catch(() => {});
    unlock();
    throw error;
  }
}

async function running(thread: ThreadLink | undefined): Promise<void> {
  try {
    await thread?.started;
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
    clock: options.clock ?? systemClock,
    random: options.random ?? { bytes: (count) => randomBytes(count) },
    log: options.log ?? silent,
  };
}
