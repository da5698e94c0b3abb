/** Flags as bits: 0 to 31 in one word, 32 to 63 in the other. The names that bits stand for are kept per mailbox. */
import { MAX_FLAGS, MailError, canonicalFlag, systemFlags } from '@mail-server-kit/core';
import type { Rows } from './columns.ts';

export interface Bits {
  readonly low: number;
  readonly high: number;
  /** The mailbox's names, with those that came in. */
  readonly names: readonly string[];
}

/**
 * `known`: names without a bit are passed over instead of getting one.
 * @throws MailError LIMIT if the mailbox has no bit left
 */
export function flagBits(
  names: readonly string[],
  flags: readonly string[],
  unknown: 'add' | 'known' = 'add',
): Bits {
  let low = 0;
  let high = 0;
  let all = names;
  for (const flag of flags) {
    const name = canonicalFlag(flag);
    let bit = indexOf(all, name);
    if (bit < 0) {
      if (unknown === 'known') continue;
      bit = all.length;
      if (bit >= MAX_FLAGS) throw new MailError('LIMIT', 'Too many keywords in this mailbox');
      all = [...all, name];
    }
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return { low: low >>> 0, high: high >>> 0, names: all };
}

function indexOf(names: readonly string[], name: string): number {
  const exact = names.indexOf(name);
  if (exact >= 0) return exact;
  const lower = name.toLowerCase();
  return names.findIndex((known) => known.toLowerCase() === lower);
}

/**
 * Rewrites the flags of rows from the bits of one mailbox to those of another; returns the names of the latter.
 * @throws MailError LIMIT
 */
export function mapFlags(
  from: readonly string[],
  to: readonly string[],
  rows: Rows,
): readonly string[] {
  const count = rows.uid.length;
  let usedLow = 0;
  let usedHigh = 0;
  for (let i = 0; i < count; i++) {
    usedLow |= rows.flagsLow[i] as number;
    usedHigh |= rows.flagsHigh[i] as number;
  }
  const isUsed = (bit: number) => (bit < 32 ? usedLow >>> bit : usedHigh >>> (bit - 32)) & 1;
  const used = from.flatMap((name, bit) => (isUsed(bit) ? [{ name, bit }] : []));
  const { names } = flagBits(
    to,
    used.map(({ name }) => name),
  );
  const moves = used.map(({ name, bit }) => ({ bit, target: indexOf(names, name) }));
  if (moves.every(({ bit, target }) => bit === target)) return names;
  // System flags have the same bits everywhere; only keywords are carried over one by one.
  for (let i = 0; i < count; i++) {
    const low = rows.flagsLow[i] as number;
    const high = rows.flagsHigh[i] as number;
    let newLow = low & SYSTEM;
    let newHigh = 0;
    for (const { bit, target } of moves) {
      if (bit < systemFlags.length) continue;
      if (!((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1)) continue;
      if (target < 32) newLow |= 1 << target;
      else newHigh |= 1 << (target - 32);
    }
    rows.flagsLow[i] = newLow;
    rows.flagsHigh[i] = newHigh;
  }
  return names;
}

const SYSTEM = (1 << systemFlags.length) - 1;
