/**
 * Results of commits that had an id, for an hour, and of the newest 100,000 at most: a lost answer must not become a second
 * mail, and a flood of mail must not fill the memory.
 */
import type { AccountId, Commit } from '@mail-server-kit/core';

export const REMEMBERED_MS = 3_600_000;
export const REMEMBERED = 100_000;

export interface Repeat {
  readonly id: string;
  readonly at: number;
  readonly lsn: number;
  readonly results: Commit['results'];
  /** Whose they are; '' is the store itself. */
  readonly account: AccountId | '';
}

export class Repeats {
  readonly #known = new Map<string, Repeat>();
  #changed: Set<string> | undefined;

  /** `track`: `takeChanged` will be called. */
  constructor(track = false) {
    if (track) this.#changed = new Set();
  }

  get(id: string, now: number): Repeat | undefined {
    const known = this.#known.get(id);
    return known && isFresh(known, now) ? known : undefined;
  }

  add(repeat: Repeat, now: number): void {
    this.#known.delete(repeat.id);
    this.#known.set(repeat.id, repeat);
    this.#changed?.add(repeat.id);
    // Insertion order is the order in time: the oldest are in front.
    for (const [id, known] of this.#known) {
      if (isFresh(known, now) && this.#known.size <= REMEMBERED) break;
      this.#known.delete(id);
      this.#changed?.add(id);
    }
  }

  /** What belonged to accounts that are destroyed. */
  forget(accounts: readonly AccountId[]): void {
    if (accounts.length === 0) return;
    for (const [id, { account }] of this.#known) {
      if (account === '' || !accounts.includes(account)) continue;
      this.#known.delete(id);
      this.#changed?.add(id);
    }
  }

  /** What was added or forgotten since the last call: undefined for the latter. */
  takeChanged(): Map<string, Repeat | undefined> {
    const changed = this.#changed ?? new Set<string>();
    if (this.#changed) this.#changed = new Set();
    return new Map([...changed].map((id) => [id, this.#known.get(id)]));
  }
}

/** A clock that was set back makes them live longer, never shorter. */
const isFresh = (repeat: Repeat, now: number) => now - repeat.at <= REMEMBERED_MS;
