/** One change of flags of many rows: whether it changes any of them, and what they are afterwards. */
import { flagBit } from '@mail-server-kit/core';
import { withOwnFlags, type Columns, type Rows } from './columns.ts';

/** New flags are `(old & ~clear) | set`, each in two words of 32 bits. */
export interface FlagChange {
  readonly clearLow: number;
  readonly clearHigh: number;
  readonly setLow: number;
  readonly setHigh: number;
}

/** What is known of the flags of rows without looking at them: those that some row has, and those that every row has. */
export interface FlagSummary {
  readonly someLow: number;
  readonly someHigh: number;
  readonly everyLow: number;
  readonly everyHigh: number;
}

/** Whether a row with these flags is another one afterwards. */
export const isChanged = (low: number, high: number, change: FlagChange): boolean =>
  differs(low, low, change.clearLow, change.setLow) ||
  differs(high, high, change.clearHigh, change.setHigh);

/** Bits that go where they are in `cleared`, and bits that come where they are missing in `set`. */
const differs = (cleared: number, missing: number, clear: number, set: number): boolean =>
  ((cleared & clear & ~set) | (~missing & set)) !== 0;

/** How many of the rows change; 'some': one has to look at them. */
export function changesRows(rows: FlagSummary, change: FlagChange): 'all' | 'none' | 'some' {
  const { clearLow, clearHigh, setLow, setHigh } = change;
  const { someLow, someHigh, everyLow, everyHigh } = rows;
  if (
    differs(everyLow, someLow, clearLow, setLow) ||
    differs(everyHigh, someHigh, clearHigh, setHigh)
  ) {
    return 'all';
  }
  const any =
    differs(someLow, everyLow, clearLow, setLow) ||
    differs(someHigh, everyHigh, clearHigh, setHigh);
  return any ? 'some' : 'none';
}

/** Of rows that all had the change. */
export function changedSummary(rows: FlagSummary, change: FlagChange): FlagSummary {
  const { clearLow, clearHigh, setLow, setHigh } = change;
  const low = (flags: number) => ((flags & ~clearLow) | setLow) >>> 0;
  const high = (flags: number) => ((flags & ~clearHigh) | setHigh) >>> 0;
  return {
    someLow: low(rows.someLow),
    someHigh: high(rows.someHigh),
    everyLow: low(rows.everyLow),
    everyHigh: high(rows.everyHigh),
  };
}

/** How many of `length` rows have a flag when all of them had the change, `before` when nothing was changed. */
export function countAfter(
  length: number,
  before: number,
  bit: number,
  { clearLow, setLow }: FlagChange,
): number {
  if (setLow & bit) return length;
  return clearLow & bit ? 0 : before;
}

/** Both, one after the other. */
export const bothChanges = (first: FlagChange, then: FlagChange): FlagChange => ({
  clearLow: (first.clearLow | then.clearLow) >>> 0,
  clearHigh: (first.clearHigh | then.clearHigh) >>> 0,
  setLow: ((first.setLow & ~then.clearLow) | then.setLow) >>> 0,
  setHigh: ((first.setHigh & ~then.clearHigh) | then.setHigh) >>> 0,
});

/** Changes rows `from` to `end` (excluded). */
export function changeFlags(
  rows: Rows,
  from: number,
  end: number,
  change: FlagChange,
  modSeq: number,
): void {
  const { flagsLow, flagsHigh } = rows;
  const { clearLow, clearHigh, setLow, setHigh } = change;
  for (let i = from; i < end; i++) {
    flagsLow[i] = ((flagsLow[i] as number) & ~clearLow) | setLow;
    flagsHigh[i] = ((flagsHigh[i] as number) & ~clearHigh) | setHigh;
    rows.modSeq[i] = modSeq;
  }
}

/** The same rows, all of them changed. */
export function withChange(old: Columns, change: FlagChange, modSeq: number): Columns {
  const rows = withOwnFlags(old);
  changeFlags(rows, 0, rows.uid.length, change, modSeq);
  return rows;
}

export interface Counts extends FlagSummary {
  /** Without \Seen. */
  readonly unseen: number;
  /** With \Deleted. */
  readonly deleted: number;
}

/** Of the first `count` rows, at least one. */
export function countFlags({ flagsLow, flagsHigh }: Columns, count: number): Counts {
  let unseen = 0;
  let deleted = 0;
  let someLow = 0;
  let someHigh = 0;
  let everyLow = -1;
  let everyHigh = -1;
  for (let i = 0; i < count; i++) {
    const low = flagsLow[i] as number;
    const high = flagsHigh[i] as number;
    someLow |= low;
    someHigh |= high;
    everyLow &= low;
    everyHigh &= high;
    if (!(low & flagBit.seen)) unseen++;
    if (low & flagBit.deleted) deleted++;
  }
  return {
    ...{ unseen, deleted },
    ...{ someLow: someLow >>> 0, someHigh: someHigh >>> 0 },
    ...{ everyLow: everyLow >>> 0, everyHigh: everyHigh >>> 0 },
  };
}

/** Of the rows of both. */
export const countBoth = (a: Counts, b: Counts): Counts => ({
  unseen: a.unseen + b.unseen,
  deleted: a.deleted + b.deleted,
  someLow: (a.someLow | b.someLow) >>> 0,
  someHigh: (a.someHigh | b.someHigh) >>> 0,
  everyLow: (a.everyLow & b.everyLow) >>> 0,
  everyHigh: (a.everyHigh & b.everyHigh) >>> 0,
});
