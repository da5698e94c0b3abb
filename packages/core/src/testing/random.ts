import type { Random } from '../world.ts';

export interface SeededRandom extends Random {
  /** 0 (included) to `below` (excluded). */
  integer(below: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<Value>(values: readonly Value[]): Value;
}

/** The same seed gives the same octets. Predictable: for tests only. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;

  /** The mixing steps of a 32-bit hash, applied to a counter. */
  function word(): number {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }

  const integer = (below: number) => Math.floor((word() / 2 ** 32) * below);
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => word() & 0xff),
    integer,
    chance: (probability) => word() / 2 ** 32 < probability,
    pick<Value>(values: readonly Value[]): Value {
      if (values.length === 0) throw new TypeError('nothing to pick from');
      return values[integer(values.length)] as Value;
    },
  };
}
