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
  const old = new Walk(before);
  const now = new Walk(after);
  while (old.block) {
    if (old.block === now.block && old.row === 0 && now.row === 0) {
      old.skip();
      now.skip();
      continue;
    }
    const { uid } = old;
    const other = now.block ? now.uid : Infinity;
    if (uid < other) vanished.push(uid);
    else if (uid === other && !old.isLike(now)) changed.push(uid);
    if (uid <= other) old.next();
    if (other <= uid) now.next();
  }
  return { vanished, changed };
}

/** Row after row. Takes the columns of a block once, and of one that is skipped not at all. */
class Walk {
  row = 0;
  block: Block | undefined;
  #index = 0;
  #uids: Uint32Array | undefined;
  #low!: Uint32Array;
  #high!: Uint32Array;
  #modSeq!: Float64Array;
  readonly #blocks: readonly Block[];

  constructor({ blocks }: MailboxSnapshot) {
    this.#blocks = blocks;
    this.block = blocks[0];
  }

  get uid(): number {
    if (!this.#uids) {
      const { uid, flagsLow, flagsHigh, modSeq } = this.block as Block;
      this.#uids = uid;
      this.#low = flagsLow;
      this.#high = flagsHigh;
      this.#modSeq = modSeq;
    }
    return this.#uids[this.row] as number;
  }

  /** Of two rows whose uids were asked for. */
  isLike(other: Walk): boolean {
    const i = this.row;
    const j = other.row;
    return (
      this.#low[i] === other.#low[j] &&
      this.#high[i] === other.#high[j] &&
      this.#modSeq[i] === other.#modSeq[j]
    );
  }

  next(): void {
    if (++this.row === this.block?.length) this.skip();
  }

  /** To the next block. */
  skip(): void {
    this.block = this.#blocks[++this.#index];
    this.#uids = undefined;
    this.row = 0;
  }
}
