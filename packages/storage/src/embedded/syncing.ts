/** When the journal is synced: before a commit counts, a while after, or when the system likes. */
import type { Clock } from '@mail-server-kit/core';
import type { Journal } from './journal.ts';

export type SyncMode = 'always' | 'never' | { readonly everyMs: number };

/** @throws TypeError if it is none */
export function checkSyncMode(mode: SyncMode = 'always'): SyncMode {
  if (mode === 'always' || mode === 'never') return mode;
  if (typeof mode === 'object' && mode.everyMs > 0) return mode;
  throw new TypeError("sync is 'always', 'never' or { everyMs }, which is above 0");
}

export class Syncing {
  readonly #journal: Journal;
  readonly #mode: SyncMode;
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;

  constructor(journal: Journal, mode: SyncMode, clock: Clock) {
    this.#journal = journal;
    this.#mode = mode;
    this.#clock = clock;
  }

  /** A commit waits until it is on disk. */
  get always(): boolean {
    return this.#mode === 'always';
  }

  /** A commit was appended that does not wait. */
  appended(): void {
    if (typeof this.#mode === 'string' || this.#cancel) return;
    this.#cancel = this.#clock.after(this.#mode.everyMs, () => {
      this.#cancel = undefined;
      this.#journal.sync();
    });
  }

  stop(): void {
    this.#cancel?.();
  }
}
