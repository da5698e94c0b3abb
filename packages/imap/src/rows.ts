/** Positions in a snapshot: from uid to index and back by bisection over its blocks, and a cursor over the rows of a set. */
import {
  ascending,
  lowerBound,
  type Block,
  type MailboxSnapshot,
  type Uid,
  type UidRange,
  type UidRanges,
} from '@mail-server-kit/core';

/** Which index the first message of each block has. */
export class Positions {
  readonly #starts: Uint32Array;
  #present: UidRanges | undefined;

  constructor(readonly snapshot: MailboxSnapshot) {
    const { blocks } = snapshot;
    this.#starts = new Uint32Array(blocks.length);
    let start = 0;
    for (let i = 0; i < blocks.length; i++) {
      this.#starts[i] = start;
      start += (blocks[i] as Block).length;
    }
  }

  /** How many messages have a lower uid. */
  countBelow(uid: number): number {
    const at = this.blockOf(uid);
    const block = this.snapshot.blocks[at];
    if (!block) return this.snapshot.messages;
    return (this.#starts[at] as number) + rowOf(block, uid);
  }

  /** The first block whose last uid is not below `uid`; the number of blocks if there is none. */
  blockOf(uid: number): number {
    const { blocks } = this.snapshot;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((blocks[middle] as Block).lastUid < uid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  startOf(block: number): number {
    return this.#starts[block] as number;
  }

  /** The uid at an index from 0. */
  uidAt(index: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    const block = this.snapshot.blocks[low];
    const row = index - (this.#starts[low] ?? 0);
    if (!block || row < 0 || row >= block.length) {
      throw new TypeError(`no message at index ${index}`);
    }
    return isGapless(block) ? block.firstUid + row : (block.uid[row] as number);
  }

  /** 0 if there is none. */
  get lastUid(): number {
    return this.snapshot.blocks.at(-1)?.lastUid ?? 0;
  }

  /** All uids that are there, and no others. */
  get present(): UidRanges {
    return (this.#present ??= joined(this.snapshot.blocks.map(rangesOf)));
  }
}

const ranges = new WeakMap<Block, UidRanges>();

/** Of one block. Most have no gap, and nobody looks at their rows. */
function rangesOf(block: Block): UidRanges {
  if (isGapless(block)) return [[block.firstUid, block.lastUid]];
  let known = ranges.get(block);
  if (!known) ranges.set(block, (known = ascending(block.uid)));
  return known;
}

const isGapless = ({ firstUid, lastUid, length }: Block) => lastUid - firstUid + 1 === length;

/** The first row whose uid is not below `uid`. */
function rowOf(block: Block, uid: number): number {
  if (isGapless(block)) return Math.min(block.length, Math.max(0, uid - block.firstUid));
  return lowerBound(block.uid, uid);
}

/** One after the other, neighbours joined. */
function joined(sets: readonly UidRanges[]): UidRanges {
  const all: UidRange[] = [];
  for (const set of sets) {
    for (const range of set) {
      const last = all.at(-1);
      if (last && range[0] === last[1] + 1) all[all.length - 1] = [last[0], range[1]];
      else all.push(range);
    }
  }
  return all;
}

/** The rows of a snapshot that are in a set, ascending. One object for all of them: nothing is made per message. */
export class Rows {
  block!: Block;
  /** Index into the columns of `block`. */
  row = 0;
  uid = 0 as Uid;
  /** Index into the snapshot, from 0. */
  index = -1;

  /** Of `block`. */
  #uids!: Uint32Array;
  #low: Uint32Array | undefined;
  #high: Uint32Array | undefined;
  #blockAt = 0;
  #range = 0;
  #end = 0;
  #inside = false;
  readonly #positions: Positions;
  readonly #set: UidRanges;

  constructor(positions: Positions, set: UidRanges) {
    this.#positions = positions;
    this.#set = set;
  }

  /** Flag bits 0 to 31 of the row (core/store.ts). */
  get flagsLow(): number {
    return (this.#low ??= this.block.flagsLow)[this.row] as number;
  }

  /** Flag bits 32 to 63. */
  get flagsHigh(): number {
    return (this.#high ??= this.block.flagsHigh)[this.row] as number;
  }

  next(): boolean {
    if (this.#inside) {
      this.index++;
      if (++this.row === this.#uids.length && !this.#enter(this.#blockAt + 1, 0)) return false;
      const uid = this.#uids[this.row] as Uid;
      if (uid <= this.#end) {
        this.uid = uid;
        return true;
      }
      this.#range++;
    }
    for (; this.#range < this.#set.length; this.#range++) {
      const [first, last] = this.#set[this.#range] as UidRange;
      const at = this.#positions.blockOf(first);
      const block = this.#positions.snapshot.blocks[at];
      if (!block) return (this.#inside = false);
      this.#enter(at, rowOf(block, first));
      const uid = this.#uids[this.row] as Uid;
      if (uid > last) continue;
      this.index = this.#positions.startOf(at) + this.row;
      this.#end = last;
      this.uid = uid;
      return (this.#inside = true);
    }
    return (this.#inside = false);
  }

  #enter(at: number, row: number): boolean {
    const block = this.#positions.snapshot.blocks[at];
    if (!block) {
      this.#range = this.#set.length;
      return (this.#inside = false);
    }
    this.block = block;
    this.#uids = block.uid;
    this.#low = undefined;
    this.#high = undefined;
    this.#blockAt = at;
    this.row = row;
    return true;
  }
}
