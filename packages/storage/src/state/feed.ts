/** Who hears of changes: the ordered stream, and hints. */
import {
  MailError,
  isExpungedMailbox,
  type AccountId,
  type Change,
  type Cursor,
  type Log,
  type MailboxId,
} from '@mail-server-kit/core';
import type { Delta } from './delta.ts';

/** A commit as the stream tells of it. */
export interface Told {
  readonly lsn: number;
  readonly changes: readonly Change[];
}

/** Where older commits are looked up: those after `lsn`, ascending, some at a time; empty if there are none. */
export type History = (lsn: number) => Promise<readonly Told[]>;

/** Commits kept at hand. */
const AT_HAND = 4096;

export const cursorOf = (lsn: number): Cursor => String(lsn) as Cursor;

/** One change for each place, in the order of the deltas. */
export function changesOf(deltas: readonly Delta[], lsn: number, at: number): Change[] {
  const changes = new Map<string, Change>();
  const cursor = cursorOf(lsn);
  const tell = (key: string, change: Omit<Change, 'cursor' | 'at'>) => {
    changes.set(key, { cursor, at, ...change });
  };
  for (const delta of deltas) {
    switch (delta.kind) {
      case 'rows':
      case 'flags':
      case 'expunge': {
        const { mailbox, account, modSeq } = delta;
        // What becomes of expunged messages is no news.
        if (isExpungedMailbox(mailbox)) break;
        tell(`m ${mailbox}`, { kind: 'messages', account, mailbox, modSeq });
        break;
      }
      case 'mailbox':
      case 'properties':
      case 'mailboxGone': {
        const { mailbox, account } = delta;
        const modSeq = 'modSeq' in delta ? { modSeq: delta.modSeq } : {};
        tell(`b ${mailbox}`, { kind: 'mailbox', account, mailbox, ...modSeq });
        break;
      }
      case 'account':
      case 'accountGone':
      case 'names':
        tell(`a ${delta.account}`, { kind: 'account', account: delta.account });
        break;
      case 'record':
      case 'recordGone': {
        const { space, key } = delta;
        const owner = delta.kind === 'record' ? delta.record.account : delta.account;
        const account = owner === undefined ? {} : { account: owner };
        tell(`r ${space}\0${key}`, { kind: 'record', space, key, ...account });
        break;
      }
      case 'counters':
      case 'floor':
        break;
    }
  }
  return [...changes.values()];
}

type Listener = (change: Change) => void;
interface Subscription {
  readonly listener: Listener;
}

export class Feed {
  readonly #recent: Told[] = [];
  /** Everything after this is in `recent`. */
  #floor: number;
  #last: number;
  #closed = false;
  readonly #waiting = new Set<() => void>();
  readonly #everywhere = new Set<Subscription>();
  readonly #accounts = new Map<AccountId, Set<Subscription>>();
  readonly #mailboxes = new Map<MailboxId, Set<Subscription>>();

  constructor(
    lsn: number,
    readonly history: History | undefined,
    readonly log: Log,
  ) {
    this.#floor = lsn;
    this.#last = lsn;
  }

  get last(): number {
    return this.#last;
  }

  tell(told: Told): void {
    this.#recent.push(told);
    this.#last = told.lsn;
    if (this.#recent.length > 2 * AT_HAND) {
      const dropped = this.#recent.splice(0, AT_HAND);
      this.#floor = (dropped.at(-1) as Told).lsn;
    }
    for (const change of told.changes) this.#hint(change);
    this.#wake();
  }

  #hint(change: Change): void {
    const heard = new Set(this.#everywhere);
    for (const each of this.#accounts.get(change.account as AccountId) ?? []) heard.add(each);
    for (const each of this.#mailboxes.get(change.mailbox as MailboxId) ?? []) heard.add(each);
    for (const { listener } of heard) {
      try {
        listener(change);
      } catch (error) {
        // The commit is done; a listener's fault must not look like a failure of it.
        this.log({ level: 'error', service: 'storage', event: 'listener failed', error });
      }
    }
  }

  subscribe(
    scope: { accounts?: readonly AccountId[]; mailboxes?: readonly MailboxId[] },
    listener: Listener,
  ): () => void {
    const subscription: Subscription = { listener };
    const sets: Set<Subscription>[] = [];
    const enter = <K>(map: Map<K, Set<Subscription>>, key: K) => {
      let set = map.get(key);
      if (!set) map.set(key, (set = new Set()));
      set.add(subscription);
      sets.push(set);
    };
    for (const account of scope.accounts ?? []) enter(this.#accounts, account);
    for (const mailbox of scope.mailboxes ?? []) enter(this.#mailboxes, mailbox);
    if (!scope.accounts && !scope.mailboxes) {
      this.#everywhere.add(subscription);
      sets.push(this.#everywhere);
    }
    return () => {
      for (const set of sets) set.delete(subscription);
      for (const account of scope.accounts ?? []) dropEmpty(this.#accounts, account);
      for (const mailbox of scope.mailboxes ?? []) dropEmpty(this.#mailboxes, mailbox);
    };
  }

  async *changes(
    since: Cursor | 'start' | 'now',
    scope: { account?: AccountId; space?: string },
    signal?: AbortSignal,
  ): AsyncGenerator<Change, void> {
    let at = this.#position(since);
    const stop = () => this.#wake();
    signal?.addEventListener('abort', stop);
    try {
      while (!this.#closed && !signal?.aborted) {
        const told = await this.#after(at);
        for (const { lsn, changes } of told) {
          for (const change of changes) {
            if (scope.account !== undefined && change.account !== scope.account) continue;
            if (scope.space !== undefined && change.space !== scope.space) continue;
            yield change;
            if (signal?.aborted) return;
          }
          at = lsn;
        }
        // What came while the last one was being read is looked for first.
        if (told.length > 0 || this.#last > at || this.#closed || signal?.aborted) {
          if (told.length === 0) at = Math.max(at, this.#floor);
          if (this.#last > at || this.#closed || signal?.aborted) continue;
        }
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #position(since: Cursor | 'start' | 'now'): number {
    if (since === 'now') return this.#last;
    if (since === 'start') return 0;
    const lsn = /^\d{1,15}$/.test(since) ? Number(since) : Infinity;
    // Not ours, or from a copy of this store that went on elsewhere.
    if (lsn > this.#last) throw new MailError('FORGOTTEN', 'Position in the changes is not known');
    return lsn;
  }

  async #after(lsn: number): Promise<readonly Told[]> {
    if (lsn >= this.#floor) {
      let low = 0;
      let high = this.#recent.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((this.#recent[middle] as Told).lsn <= lsn) low = middle + 1;
        else high = middle;
      }
      return this.#recent.slice(low, low + 512);
    }
    if (!this.history) throw new MailError('FORGOTTEN', 'Changes so old are forgotten');
    const told = await this.history(lsn);
    if (told.length > 0) return told;
    // Nothing lies between there and what is at hand.
    return this.#recent.slice(0, 512);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }
}

function dropEmpty<K>(map: Map<K, Set<Subscription>>, key: K): void {
  if (map.get(key)?.size === 0) map.delete(key);
}
