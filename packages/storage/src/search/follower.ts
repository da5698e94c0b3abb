/**
 * Keeps the index behind the mail: takes the changes of the store, finds the messages that are new, has them indexed, one
 * account after the other and not at once.
 */
import {
  isMailError,
  type AccountId,
  type Change,
  type Clock,
  type Cursor,
  type Log,
  type MailboxId,
  type MailboxSnapshot,
  type MailStore,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import type { StoreBlock } from '../state/block.ts';
import type { SearchLink } from './link.ts';
import type { Position } from './position.ts';
import { rowsAt } from './rows.ts';
import type { Wanted } from './scan-index.ts';

export interface FollowerOptions {
  readonly mail: Pick<MailStore, 'changes' | 'mailboxes' | 'open'>;
  readonly accounts: () => Iterable<AccountId>;
  /** Where the journal ends now: what is committed later lies behind. */
  readonly end: () => number;
  /** The last commit. */
  readonly last: () => Cursor;
  readonly link: SearchLink;
  readonly keyOf: (account: AccountId) => Uint8Array | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds that mail lies there before it is indexed: what comes together is written together. */
  readonly delayMs: number;
  /** Milliseconds until the text of expunged messages is removed. */
  readonly removeMs: number;
}

/** What is waiting of a mailbox: what came at or after this modseq, or all of it. */
type Waiting = number | 'all';

/** What is known of an account while the store is open. */
interface Known {
  /** What lies behind was never indexed. */
  end: number;
  /** What has such a uid or a higher one is new. */
  readonly uidNext: Map<MailboxId, number>;
}

/** Accounts of which that is remembered. */
const ACCOUNTS = 10_000;
/** Milliseconds until the next attempt when the index cannot be written. */
const RETRY = 60_000;

export class Follower {
  readonly #options: FollowerOptions;
  readonly #stop = new AbortController();
  #waiting = new Map<AccountId, Map<MailboxId, Waiting>>();
  /** Messages that a search had to read. */
  #missed: { readonly snapshot: MailboxSnapshot; readonly uids: UidRanges }[] = [];
  readonly #known = new Map<AccountId, Known>();
  /** For accounts that are not known: what lies behind was not indexed before. */
  #end: number;
  /** When to look for text of expunged messages. */
  readonly #removal = new Map<AccountId, number>();
  readonly #gone = new Set<AccountId>();
  #swept = false;
  #position: Position | undefined;
  #seen: Position | undefined;
  #cancel: (() => void) | undefined;
  #cancelRemoval = () => {};
  #working: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #following: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#end = options.end();
  }

  /** Mailboxes whose mail is not in the index yet. */
  get lag(): number {
    let sum = this.#missed.length + this.#all.size;
    for (const mailboxes of this.#waiting.values()) sum += mailboxes.size;
    return sum;
  }

  start(position: Position | undefined): void {
    this.#position = this.#seen = position;
    this.#following = this.#follow().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#log('error', 'search index does not follow', error);
    });
    this.#removeLater();
  }

  /** From where the index ends; what is there now waits as a whole if that is not known. */
  async #follow(): Promise<void> {
    const position = this.#position;
    if (position && !(await this.#isOurs(position))) {
      this.#position = undefined;
      await this.#options.link.calls.call('removeAll', undefined);
    }
    if (this.#position) {
      try {
        await this.#take(this.#position.cursor as Cursor);
        return;
      } catch (error) {
        if (!isMailError(error, 'FORGOTTEN')) throw error;
      }
    }
    const cursor = this.#options.last();
    this.#seen = { cursor, before: cursor, at: 0 };
    this.everything();
    await this.#take(cursor);
  }

  /**
   * The commit that the position names has to be there as it was, or the index is of another past, such as that of a store
   * that was put back from a backup: places of the journal mean other messages then.
   */
  async #isOurs({ cursor, before, at }: Position): Promise<boolean> {
    if (Number(cursor) > Number(this.#options.last())) return false;
    if (at === 0) return true;
    try {
      const { signal } = this.#stop;
      for await (const change of this.#options.mail.changes(before as Cursor, {}, signal)) {
        return change.cursor === cursor && change.at === at;
      }
    } catch (error) {
      if (!isMailError(error, 'FORGOTTEN')) throw error;
    }
    // Forgotten commits are not told again; those of a store that is being closed neither.
    return true;
  }

  async #take(since: Cursor): Promise<void> {
    for await (const change of this.#options.mail.changes(since, {}, this.#stop.signal)) {
      this.#note(change);
      const { cursor, at } = change;
      if (cursor !== this.#seen?.cursor) {
        this.#seen = { cursor, at, before: this.#seen?.cursor ?? cursor };
      }
    }
  }

  #note({ kind, account, mailbox, modSeq }: Change): void {
    if (account === undefined) return;
    if (kind === 'account') {
      this.#gone.add(account);
      this.#workSoon(0);
    } else if (kind === 'messages' && mailbox !== undefined) {
      this.#wait(account, mailbox, modSeq ?? 'all');
    } else if (kind === 'mailbox') {
      // It may have been deleted, with all that was in it.
      this.#toRemove(account);
    }
  }

  #wait(account: AccountId, mailbox: MailboxId, from: Waiting): void {
    let mailboxes = this.#waiting.get(account);
    if (!mailboxes) this.#waiting.set(account, (mailboxes = new Map()));
    if (!mailboxes.has(mailbox) || from === 'all') mailboxes.set(mailbox, from);
    this.#workSoon();
  }

  /** All mail of all accounts; what is there already is passed over. */
  everything(): void {
    for (const account of this.#options.accounts()) this.#all.add(account);
    this.#workSoon();
  }

  /** Accounts all of whose mailboxes are to be looked at. */
  readonly #all = new Set<AccountId>();

  /** All mail of an account whose index was lost. */
  lost(account: AccountId): void {
    this.#all.add(account);
    this.#workSoon();
  }

  /** What a search has found missing. */
  missed(snapshot: MailboxSnapshot, uids: UidRanges): void {
    if (this.#missed.length >= 100) return;
    this.#missed.push({ snapshot, uids });
    this.#workSoon();
  }

  #workSoon(ms = this.#options.delayMs): void {
    if (this.#stop.signal.aborted || (this.#cancel && ms > 0)) return;
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#cancel = undefined;
      void this.work();
    });
  }

  /** Has all that waits indexed. */
  work(): Promise<void> {
    return (this.#working ??= this.#alone(() => this.#work()).finally(() => {
      this.#working = undefined;
    }));
  }

  /** One after the other: what looks for expunged messages must not miss one that is being added. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #work(): Promise<void> {
    const position = this.#seen;
    try {
      await this.#removeGone();
      while (!this.#stop.signal.aborted && (await this.#next())) continue;
      if (this.#stop.signal.aborted || !position || position === this.#position) return;
      await this.#options.link.calls.call('setPosition', position);
      this.#position = position;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log('warn', 'search index cannot be written', error);
      this.#cancel?.();
      this.#cancel = undefined;
      this.#workSoon(RETRY);
    }
  }

  /** One account. False: nothing waits. */
  async #next(): Promise<boolean> {
    const missed = this.#missed.shift();
    if (missed) {
      const { snapshot, uids } = missed;
      const wanted = await rowsAt(snapshot, uids);
      await this.#index(snapshot, wanted, true);
      const known = this.#knowledge(snapshot.account);
      known.end = highest(wanted.places, known.end);
      return true;
    }
    const [next] = this.#waiting;
    if (next) {
      await this.#account(...next);
      return true;
    }
    const [account] = this.#all;
    if (account === undefined) return false;
    await this.#wholeAccount(account);
    this.#all.delete(account);
    return true;
  }

  async #wholeAccount(account: AccountId): Promise<void> {
    const mailboxes = new Map<MailboxId, Waiting>();
    try {
      for (const { id } of await this.#options.mail.mailboxes(account)) mailboxes.set(id, 'all');
    } catch (error) {
      if (!isMailError(error, 'NONEXISTENT')) throw error;
    }
    await this.#account(account, mailboxes, true);
  }

  /** `check`: some may be there already, whatever is known. */
  async #account(
    account: AccountId,
    mailboxes: Map<MailboxId, Waiting>,
    check = false,
  ): Promise<void> {
    const known = this.#knowledge(account);
    // What comes meanwhile waits anew.
    if (this.#waiting.get(account) === mailboxes) this.#waiting.delete(account);
    this.#toRemove(account);
    let { end } = known;
    try {
      for (const [mailbox, from] of mailboxes) {
        const snapshot = await this.#open(mailbox);
        if (snapshot) {
          const rows = newRows(snapshot, from === 'all' ? 0 : known.uidNext.get(mailbox), from);
          const wanted = await rowsAt(snapshot, rows);
          const old = check || wanted.places.some((place) => place <= known.end);
          await this.#index(snapshot, wanted, old);
          end = highest(wanted.places, end);
          known.uidNext.set(mailbox, snapshot.uidNext);
        }
        mailboxes.delete(mailbox);
      }
    } catch (error) {
      for (const mailbox of mailboxes.keys()) this.#wait(account, mailbox, 'all');
      throw error;
    }
    known.end = end;
  }

  async #open(mailbox: MailboxId): Promise<MailboxSnapshot | undefined> {
    try {
      return await this.#options.mail.open(mailbox);
    } catch (error) {
      if (isMailError(error, 'NONEXISTENT')) return undefined;
      throw error;
    }
  }

  #knowledge(account: AccountId): Known {
    let known = this.#known.get(account);
    if (known) this.#known.delete(account);
    known ??= { end: this.#end, uidNext: new Map() };
    this.#known.set(account, known);
    if (this.#known.size > ACCOUNTS) {
      const [oldest, { end }] = this.#known.entries().next().value as [AccountId, Known];
      this.#known.delete(oldest);
      this.#end = Math.max(this.#end, end);
    }
    return known;
  }

  async #index(snapshot: MailboxSnapshot, wanted: Wanted, check: boolean): Promise<void> {
    if (wanted.uids.length === 0 || this.#stop.signal.aborted) return;
    const { account } = snapshot;
    const { link, keyOf } = this.#options;
    if (!(await this.#exists(account))) return;
    const key = keyOf(account);
    await link.job(snapshot, (job) =>
      link.calls.call('index', { job, account, key, ...wanted, check }),
    );
  }

  /** Of accounts that are destroyed nothing stays, and at once. */
  async #removeGone(): Promise<void> {
    for (const account of this.#gone) {
      if (!(await this.#exists(account))) {
        await this.#options.link.calls.call('remove', { account });
        this.#known.delete(account);
        this.#removal.delete(account);
        this.#waiting.delete(account);
      }
      this.#gone.delete(account);
    }
  }

  async #exists(account: AccountId): Promise<boolean> {
    try {
      await this.#options.mail.mailboxes(account);
      return true;
    } catch (error) {
      if (isMailError(error, 'NONEXISTENT')) return false;
      throw error;
    }
  }

  #toRemove(account: AccountId): void {
    if (this.#removal.has(account)) return;
    this.#removal.set(account, this.#options.clock.now() + this.#options.removeMs);
  }

  /** Accounts that have an index: of those that do not exist it goes, the others are looked through in their turn. */
  async sweep(): Promise<void> {
    const { link, clock, removeMs } = this.#options;
    try {
      const accounts = (await link.calls.call('accounts', undefined)) as AccountId[];
      for (const [i, account] of accounts.entries()) {
        if (!(await this.#exists(account))) this.#gone.add(account);
        else if (!this.#removal.has(account)) {
          this.#removal.set(account, clock.now() + removeMs * (1 + i / accounts.length));
        }
      }
      this.#swept = true;
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#log('warn', 'search index cannot be read', error);
    }
    if (this.#gone.size > 0) this.#workSoon(0);
  }

  #removeLater(): void {
    const { clock, removeMs } = this.#options;
    this.#cancelRemoval = clock.after(Math.min(removeMs, RETRY), () => {
      void this.#removeNow().finally(() => {
        if (!this.#stop.signal.aborted) this.#removeLater();
      });
    });
  }

  async #removeNow(): Promise<void> {
    if (!this.#swept) await this.sweep();
    await this.removeExpunged();
  }

  /** Removes the text of expunged messages where it is time, or everywhere. */
  async removeExpunged(everywhere = false): Promise<void> {
    try {
      for (const [account, due] of this.#removal) {
        if (due > this.#options.clock.now() && !everywhere) continue;
        await this.#alone(() => this.#removeFrom(account));
        if (this.#stop.signal.aborted) return;
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#log('warn', 'search index cannot be written', error);
    }
  }

  async #removeFrom(account: AccountId): Promise<void> {
    const { link, keyOf } = this.#options;
    this.#removal.delete(account);
    if (this.#stop.signal.aborted || !(await this.#exists(account))) return;
    const live = await this.#live(account);
    await link.calls.call('collect', { account, key: keyOf(account), ...live });
  }

  /** All messages of the account. */
  async #live(account: AccountId): Promise<Omit<Wanted, 'uids'>> {
    const places: number[] = [];
    const marks: number[] = [];
    for (const { id } of await this.#options.mail.mailboxes(account)) {
      const snapshot = await this.#open(id);
      if (!snapshot) continue;
      const rows = await rowsAt(snapshot, wholeOf(snapshot));
      for (const place of rows.places) places.push(place);
      for (const mark of rows.marks) marks.push(mark);
    }
    return { places: Float64Array.from(places), marks: Uint32Array.from(marks) };
  }

  /** Until all that was committed is indexed. */
  async settled(): Promise<void> {
    do {
      // The stream tells of a commit before anything else gets a turn.
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 1));
      await this.work();
    } while (this.lag > 0 && !this.#stop.signal.aborted);
  }

  #log(level: 'warn' | 'error', event: string, error: unknown): void {
    this.#options.log({ level, service: 'storage', event, error });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#cancel?.();
    this.#cancelRemoval();
    await this.#following;
  }
}

const wholeOf = (snapshot: MailboxSnapshot): UidRanges =>
  snapshot.uidNext > 1 ? [[1 as Uid, (snapshot.uidNext - 1) as Uid]] : [];

const highest = (places: Float64Array, least: number): number =>
  places.reduce((most, place) => Math.max(most, place), least);

/** Rows that may have come since a modseq: the last ones, for what comes is behind all others. */
function newRows(snapshot: MailboxSnapshot, uidNext: number | undefined, from: Waiting): UidRanges {
  const last = snapshot.uidNext - 1;
  if (uidNext !== undefined) return uidNext > last ? [] : [[uidNext as Uid, last as Uid]];
  let first = last + 1;
  const blocks = snapshot.blocks as readonly StoreBlock[];
  for (let b = blocks.length - 1; b >= 0; b--) {
    const { uid, modSeq } = blocks[b] as StoreBlock;
    for (let i = uid.length - 1; i >= 0; i--) {
      if ((modSeq[i] as number) < (from as number))
        return first > last ? [] : [[first as Uid, last as Uid]];
      first = uid[i] as number;
    }
  }
  return first > last ? [] : [[first as Uid, last as Uid]];
}
