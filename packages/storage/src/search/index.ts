/** SEARCH with an index, for a store on a journal. The index narrows, the text decides; without it messages are read. */
import {
  MailError,
  ascending,
  isMailError,
  type AccountId,
  type Clock,
  type Cursor,
  type Log,
  type MailboxSnapshot,
  type MailStore,
  type Query,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { searchByReading } from '@mail-server-kit/mime';
import { leavesOf } from './compile.ts';
import { Follower } from './follower.ts';
import { SearchLink } from './link.ts';
import { readPosition } from './position.ts';
import { rowsAt } from './rows.ts';

export interface SearchOptions {
  /** Octets of catalogs kept in memory, a tenth or so of what lies there of an account. Default 64 MiB. */
  readonly cacheOctets?: number;
  /** Milliseconds after which new mail is indexed. Default 1,000. */
  readonly delayMs?: number;
  /** Milliseconds after which text of expunged messages is removed. Default 6 hours; what is in no mailbox any more only. */
  readonly removeMs?: number;
}

export interface SearchParts extends SearchOptions {
  readonly mail: MailStore;
  readonly directory: string;
  /** Id of the store. */
  readonly store: Uint8Array;
  readonly accounts: () => Iterable<AccountId>;
  readonly end: () => number;
  readonly last: () => Cursor;
  /**
   * 32 octets with which what is kept of the account is sealed; undefined: it is not.
   * @throws MailError NONEXISTENT if its key is destroyed
   */
  readonly keyOf?: (account: AccountId) => Uint8Array | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SearchStats {
  /** In the index. */
  readonly messages: number;
  /** Of their texts, decoded and folded. */
  readonly textOctets: number;
  /** On disk. */
  readonly octets: number;
  /** Mailboxes with mail that is not in the index yet. */
  readonly lag: number;
}

/** The index from the side of whoever runs the store. */
export interface SearchIndex {
  stats(): Promise<SearchStats>;
  /** Until all that is committed by now is in it. */
  settled(): Promise<void>;
  /** Removes the text of messages that are in no mailbox any more, without waiting for its time. */
  removeExpunged(): Promise<void>;
}

const MIB = 1_048_576;

export class Search implements SearchIndex {
  readonly #parts: SearchParts;
  readonly #link: SearchLink;
  readonly #follower: Follower;
  readonly #keyOf: NonNullable<SearchParts['keyOf']>;

  constructor(parts: SearchParts) {
    const { mail, directory, store, clock, log } = parts;
    this.#parts = parts;
    this.#keyOf = parts.keyOf ?? (() => undefined);
    this.#link = new SearchLink({
      ...{ directory, store, mail, log, cacheOctets: parts.cacheOctets ?? 64 * MIB },
      onLost: (account) => this.#follower.lost(account as AccountId),
    });
    this.#follower = new Follower({
      ...{ mail, clock, log, link: this.#link, keyOf: this.#keyOf },
      ...{ accounts: parts.accounts, end: parts.end, last: parts.last },
      delayMs: parts.delayMs ?? 1000,
      removeMs: parts.removeMs ?? 6 * 3_600_000,
    });
    this.#follower.start(readPosition(directory, store));
  }

  /** As `search` of MailStore. */
  async search(
    snapshot: MailboxSnapshot,
    query: Query,
    among: UidRanges = wholeOf(snapshot),
  ): Promise<UidRanges> {
    const { mail } = this.#parts;
    if (!needsText(query)) return searchByReading(mail, snapshot, query, among);
    try {
      return await this.#searchIndex(snapshot, query, among);
    } catch (error) {
      if (isMailError(error) && error.code !== 'NONEXISTENT') throw error;
      if (!isMailError(error)) this.#log('search index cannot be used', error);
      return searchByReading(mail, snapshot, query, among);
    }
  }

  async #searchIndex(
    snapshot: MailboxSnapshot,
    query: Query,
    among: UidRanges,
  ): Promise<UidRanges> {
    const { account } = snapshot;
    const rows = await rowsAt(snapshot, among);
    if (rows.uids.length === 0) return [];
    const key = this.#keyOf(account);
    const { found, unread } = await this.#link.job(snapshot, (job) =>
      this.#link.calls.call('search', { job, account, key, query, ...rows }),
    );
    if (unread.length > 0) this.#follower.missed(snapshot, ascending(unread));
    return ascending(found);
  }

  async stats(): Promise<SearchStats> {
    const { calls } = this.#link;
    const accounts = await calls.call('accounts', undefined);
    const keys = [];
    for (const account of accounts) {
      try {
        keys.push({ account, key: this.#keyOf(account as AccountId) });
      } catch (error) {
        // It is being destroyed.
        if (!isMailError(error, 'NONEXISTENT')) throw error;
      }
    }
    return { ...(await calls.call('totals', keys)), lag: this.#follower.lag };
  }

  settled(): Promise<void> {
    return this.#follower.settled();
  }

  removeExpunged(): Promise<void> {
    return this.#follower.removeExpunged(true);
  }

  #log(event: string, error: unknown): void {
    this.#parts.log({ level: 'warn', service: 'storage', event, error });
  }

  async close(): Promise<void> {
    const closed = this.#follower.close();
    await this.#link.close(new MailError('UNAVAILABLE', 'The store is closed'));
    await closed;
  }
}

const wholeOf = (snapshot: MailboxSnapshot): UidRanges => [[1 as Uid, snapshot.uidNext]];

/** Facts answer the others. */
const needsText = (query: Query): boolean =>
  [...leavesOf(query)].some((leaf) => 'text' in leaf || 'header' in leaf);
