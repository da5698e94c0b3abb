/** What changed between two snapshots of one mailbox, found by the identity of their blocks (core/store.ts). */
import type { Block, MailboxSnapshot } from '@mail-server-kit/core';

export interface Difference {
  /** In the old one only, ascending. */
  readonly vanished: readonly number[];
  /** In both, with other flags or another modseq, ascending. */
  readonly changed: readonly number[];
}

export function difference(before: MailboxSnapshot, after: MailboxSnapshot): Difference {
  const vanished: number[] = [];
  const changed: number[] = [];
  const old = before.blocks;
  const now = after.blocks;
  let i = 0;
  let j = 0;
  let oldRow = 0;
  let nowRow = 0;
  while (i < old.length) {
    const a = old[i] as Block;
    const b = now[j];
    if (a === b && oldRow === 0 && nowRow === 0) {
      i++;
      j++;
      continue;
    }
    const uid = a.uid[oldRow] as number;
    const other = b ? (b.uid[nowRow] as number) : Infinity;
    if (uid < other) vanished.push(uid);
    else if (b && uid === other && !sameRow(a, oldRow, b, nowRow)) changed.push(uid);
    if (uid <= other && ++oldRow === a.uid.length) {
      i++;
      oldRow = 0;
    }
    if (b && other <= uid && ++nowRow === b.uid.length) {
      j++;
      nowRow = 0;
    }
  }
  return { vanished, changed };
}

function sameRow(a: Block, i: number, b: Block, j: number): boolean {
  return (
    a.flagsLow[i] === b.flagsLow[j] &&
    a.flagsHigh[i] === b.flagsHigh[j] &&
    a.modSeq[i] === b.modSeq[j]
  );
}
