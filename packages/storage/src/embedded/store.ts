/**
 * The store for a server: one journal in a directory, synced before a commit counts.
 *
 *     const store = await openEmbeddedStore('/var/lib/mail');
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  silent,
  systemClock,
  type Clock,
  type Log,
  type MailStore,
  type Random,
} from '@mail-server-kit/core';
import { VANISHED_RANGES } from '../state/mailbox.ts';
import { openJournalStore, type EngineOptions } from './engine.ts';
import { lockDirectory } from './lock.ts';
import { nodeDisk } from './node-disk.js';
import { ThreadLink } from './thread-link.ts';

export interface EmbeddedStoreOptions {
  /** Octets of a journal file. Default 64 MiB; at least 64 KiB. Zeros are written ahead, so two of them lie there from the start. */
  readonly segmentOctets?: number;
  /** Octets being received at one time, over all connections. Default 256 MiB. */
  readonly maxStagedOctets?: number;
  /** Octets of message facts and small records kept in memory. Default 32 MiB. */
  readonly cacheOctets?: number;
  /** Ranges of expunged uids that a mailbox remembers (RFC 7162 section 3.2.5.2). Default 16,384. */
  readonly vanishedRanges?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

/** A MailStore in a directory of its own. */
export type EmbeddedStore = MailStore;

const MIB = 1_048_576;

/**
 * @throws MailError UNAVAILABLE if another process owns the directory (its number is in the text); CORRUPTION if the journal
 *   is damaged, with segment and offset; CANNOT if a later version wrote it
 */
export async function openEmbeddedStore(
  directory: string,
  options: EmbeddedStoreOptions = {},
): Promise<EmbeddedStore> {
  const engine = withDefaults(options);
  const journal = path.join(directory, 'journal');
  fs.mkdirSync(journal, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  try {
    const store = await openJournalStore({
      ...engine,
      disk: nodeDisk(journal),
      link: (about) => new ThreadLink({ ...about, directory: journal }, engine.log),
    });
    const close = store.close.bind(store);
    store.close = async () => {
      try {
        await close();
      } finally {
        unlock();
      }
    };
    return store;
  } catch (error) {
    unlock();
    throw error;
  }
}

export function withDefaults(options: EmbeddedStoreOptions): Omit<EngineOptions, 'disk' | 'link'> {
  const { segmentOctets = 64 * MIB } = options;
  if (!(segmentOctets >= 65_536 && segmentOctets < 2 ** 31)) {
    throw new TypeError('segmentOctets is at least 64 KiB and below 2 GiB');
  }
  return {
    segmentOctets: Math.ceil(segmentOctets / 4096) * 4096,
    maxStagedOctets: options.maxStagedOctets ?? 256 * MIB,
    cacheOctets: options.cacheOctets ?? 32 * MIB,
    rules: { vanishedRanges: options.vanishedRanges ?? VANISHED_RANGES },
    clock: options.clock ?? systemClock,
    random: options.random ?? { bytes: (count) => randomBytes(count) },
    log: options.log ?? silent,
  };
}
