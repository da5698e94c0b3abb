/** Results of commits that had an id, for an hour: a lost answer must not become a second mail. */
import type { Commit } from '@mail-server-kit/core';

export const REMEMBERED_MS = 3_600_000;

export interface Repeat {
  readonly id: string;
  readonly at: number;
  readonly lsn: number;
  readonly results: Commit['results'];
}

export class Repeats {
  readonly #known = new Map<string, Repeat>();

  get(id: string, now: number): Repeat | undefined {
    const known = this.#known.get(id);
    return known && isFresh(known, now) ? known : undefined;
  }

  add(repeat: Repeat, now: number): void {
    this.#known.delete(repeat.id);
    this.#known.set(repeat.id, repeat);
    // Insertion order is the order in time: the oldest are in front.
    for (const [id, known] of this.#known) {
      if (isFresh(known, now)) break;
      this.#known.delete(id);
    }
  }

  all(now: number): Repeat[] {
    return [...this.#known.values()].filter((repeat) => isFresh(repeat, now));
  }
}

/** A clock that was set back makes them live longer, never shorter. */
const isFresh = (repeat: Repeat, now: number) => now - repeat.at <= REMEMBERED_MS;
