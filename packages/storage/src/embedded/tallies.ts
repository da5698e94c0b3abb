/** How many values of each kind there are and the sum of their checksums: so one that is missing shows. */
import type { Tally } from './pack-index.ts';

export class Tallies {
  /** By the first letter of the key. */
  readonly kinds = new Map<string, Tally>();
  readonly #sums = new Map<string, number>();

  set(key: string, crc: number): void {
    this.delete(key);
    this.#sums.set(key, crc);
    this.#count(key, crc, 1);
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    const before = this.#sums.get(key);
    if (before === undefined) return false;
    this.#sums.delete(key);
    this.#count(key, before, -1);
    return true;
  }

  #count(key: string, crc: number, sign: 1 | -1): void {
    const kind = key.slice(0, 1);
    let tally = this.kinds.get(kind);
    if (!tally) this.kinds.set(kind, (tally = { count: 0, sum: 0 }));
    tally.count += sign;
    tally.sum = (tally.sum + sign * crc) >>> 0;
  }

  /** The first kind of which it has others than `expected`. */
  otherThan(expected: ReadonlyMap<string, Tally>): string | undefined {
    for (const kind of new Set([...expected.keys(), ...this.kinds.keys()])) {
      const a = expected.get(kind) ?? { count: 0, sum: 0 };
      const b = this.kinds.get(kind) ?? { count: 0, sum: 0 };
      if (a.count !== b.count || a.sum !== b.sum) return kind;
    }
    return undefined;
  }
}
