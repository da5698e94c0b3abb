/**
 * Sets of uids kept as ranges, so that "all of a million" is one pair. Always ascending, without overlap, and with
 * neighbours joined: equal sets are equal arrays.
 */
import type { Uid } from './numbers.ts';

export type UidRange = readonly [first: Uid, last: Uid];
export type UidRanges = readonly UidRange[];

/** From any order, with duplicates. */
export function uidRanges(uids: Iterable<number>): UidRanges {
  return ascending(Uint32Array.from(uids).sort());
}

/** From ascending uids, without sorting; equal neighbours are allowed. */
export function ascending(uids: Iterable<number>): UidRanges {
  const ranges: [Uid, Uid][] = [];
  let last: [Uid, Uid] | undefined;
  for (const uid of uids as Iterable<Uid>) {
    if (last && uid <= last[1] + 1) last[1] = uid;
    else ranges.push((last = [uid, uid]));
  }
  return ranges;
}

/** Sorts and joins ranges that may overlap; either end may come first. */
export function normalize(ranges: Iterable<readonly [number, number]>): UidRanges {
  const sorted = Array.from(
    ranges,
    ([a, b]): [Uid, Uid] => (a <= b ? [a, b] : [b, a]) as [Uid, Uid],
  );
  sorted.sort((a, b) => a[0] - b[0]);
  const joined: [Uid, Uid][] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last && range[0] <= last[1] + 1) last[1] = Math.max(last[1], range[1]) as Uid;
    else joined.push(range);
  }
  return joined;
}

export function* eachUid(set: UidRanges): Generator<Uid, void> {
  for (const [first, last] of set)
    for (let uid = first as number; uid <= last; uid++) yield uid as Uid;
}

export function countUids(set: UidRanges): number {
  let count = 0;
  for (const [first, last] of set) count += last - first + 1;
  return count;
}

/** Index of the first element of an ascending column that is not below `value`, by bisection; its length if there is none. */
export function lowerBound(ascending: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By bisection. */
export function hasUid(set: UidRanges, uid: number): boolean {
  let low = 0;
  let high = set.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = set[middle] as UidRange;
    if (uid < first) high = middle - 1;
    else if (uid > last) low = middle + 1;
    else return true;
  }
  return false;
}

export function unite(a: UidRanges, b: UidRanges): UidRanges {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return normalize([...a, ...b]);
}

export function intersect(a: UidRanges, b: UidRanges): UidRanges {
  const out: UidRange[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const x = a[i] as UidRange;
    const y = b[j] as UidRange;
    const first = Math.max(x[0], y[0]) as Uid;
    const last = Math.min(x[1], y[1]) as Uid;
    if (first <= last) out.push([first, last]);
    if (x[1] < y[1]) i++;
    else j++;
  }
  return out;
}

/** What is in `a` and not in `b`. */
export function subtract(a: UidRanges, b: UidRanges): UidRanges {
  const out: UidRange[] = [];
  let j = 0;
  for (const [first, last] of a) {
    let from: number = first;
    while (j < b.length && (b[j] as UidRange)[1] < from) j++;
    for (let k = j; k < b.length && (b[k] as UidRange)[0] <= last; k++) {
      const [cutFirst, cutLast] = b[k] as UidRange;
      if (cutFirst > from) out.push([from as Uid, (cutFirst - 1) as Uid]);
      from = cutLast + 1;
    }
    if (from <= last) out.push([from as Uid, last]);
  }
  return out;
}

/** The form of `sequence-set` without `*` (RFC 9051 section 9). */
export function printUids(set: UidRanges): string {
  return set.map(([first, last]) => (first === last ? `${first}` : `${first}:${last}`)).join(',');
}
