/**
 * Rows of a mailbox in blocks of at most 512, as columns. A block is never changed once it is in a mailbox: what changes
 * is copied, and everything else is shared with the mailbox as it was before.
 */
import { BLOCK_SIZE, lowerBound, type Block, type UidRanges } from '@mail-server-kit/core';

/** The columns that everybody sees, and where the message itself lies. */
export interface StoreBlock extends Block {
  /** Number of the email id `M<number>`; negative: hash of an id that was given (ids.ts). */
  readonly email: Float64Array;
  /** Where the message record lies in the journal: segment * 2^32 + offset. 0 in a store without a journal. */
  readonly place: Float64Array;
  readonly placeOctets: Uint32Array;
  /** The message itself, in a store without a journal. */
  readonly held?: readonly unknown[];
}

/** Those of eight octets first, so that each is aligned in the buffer that they share. */
const kinds = {
  internalDate: Float64Array,
  saveDate: Float64Array,
  email: Float64Array,
  place: Float64Array,
  placeOctets: Uint32Array,
  uid: Uint32Array,
  size: Uint32Array,
  internalZone: Int16Array,
  modSeq: Float64Array,
  flagsLow: Uint32Array,
  flagsHigh: Uint32Array,
} as const;

type ColumnName = keyof typeof kinds;
export const columnNames = Object.keys(kinds) as readonly ColumnName[];

/** Octets of one row of a column. */
export const columnOctets = (name: ColumnName): number => kinds[name].BYTES_PER_ELEMENT;

/** Octets of one row. */
export const ROW_OCTETS = columnNames.reduce((sum, name) => sum + columnOctets(name), 0);

type Columns = { -readonly [Name in ColumnName]: StoreBlock[Name] };
/** Rows that are being filled, before anybody sees them. */
export type Rows = Columns & { held?: unknown[] };

/** Octets of one row that a change of flags leaves as they are, and of those that it replaces. */
const FIXED = 46;
const CHANGING = 16;

/**
 * Two buffers: flags and modseqs change, and must not keep the rest of an old block alive twice. `capacity`: rows that there
 * is room for, so that a block that grows is not copied for each row.
 */
export function emptyRows(count: number, held: boolean, capacity = count): Rows {
  const fixed = new ArrayBuffer(capacity * FIXED);
  const changing = new ArrayBuffer(capacity * CHANGING);
  const rows = {
    ...fixedColumns(fixed, capacity, count),
    ...changingColumns(changing, capacity, count),
  };
  return held ? { ...rows, held: new Array<unknown>(count) } : rows;
}

const fixedColumns = (buffer: ArrayBufferLike, capacity: number, count: number) => ({
  internalDate: new Float64Array(buffer, 0, count),
  saveDate: new Float64Array(buffer, capacity * 8, count),
  email: new Float64Array(buffer, capacity * 16, count),
  place: new Float64Array(buffer, capacity * 24, count),
  placeOctets: new Uint32Array(buffer, capacity * 32, count),
  uid: new Uint32Array(buffer, capacity * 36, count),
  size: new Uint32Array(buffer, capacity * 40, count),
  internalZone: new Int16Array(buffer, capacity * 44, count),
});

const changingColumns = (buffer: ArrayBufferLike, capacity: number, count: number) => ({
  modSeq: new Float64Array(buffer, 0, count),
  flagsLow: new Uint32Array(buffer, capacity * 8, count),
  flagsHigh: new Uint32Array(buffer, capacity * 12, count),
});

const capacityOf = (block: StoreBlock) => block.uid.buffer.byteLength / FIXED;

/** The block with own flags and modseqs; everything else is shared with the old one. */
export function withOwnFlags(block: StoreBlock): Rows {
  const capacity = capacityOf(block);
  const buffer = new ArrayBuffer(capacity * CHANGING);
  new Uint8Array(buffer).set(new Uint8Array(block.modSeq.buffer));
  return { ...(block as Rows), ...changingColumns(buffer, capacity, block.uid.length) };
}

/**
 * The block with room for `more` rows behind. They may lie in the same buffers: whoever has the shorter block does not see
 * them, and only the newest state of a mailbox is ever appended to.
 */
function extended(block: StoreBlock, more: number): Rows {
  const before = block.uid.length;
  const count = before + more;
  const capacity = capacityOf(block);
  if (count > capacity) {
    const larger = Math.min(BLOCK_SIZE, Math.max(16, 2 * count));
    const rows = emptyRows(count, block.held !== undefined, larger);
    copyRows(rows, 0, block, 0, before);
    return rows;
  }
  const rows: Rows = {
    ...fixedColumns(block.uid.buffer, capacity, count),
    ...changingColumns(block.modSeq.buffer, capacity, count),
  };
  if (block.held) rows.held = block.held.slice();
  return rows;
}

/** Copies rows `from` to `end` (excluded) of `source` to `target`, beginning at `at`. */
export function copyRows(
  target: Rows,
  at: number,
  source: StoreBlock,
  from: number,
  end: number,
): void {
  for (const name of columnNames) {
    // All columns have `set` and `subarray` of their own kind, which a union of kinds cannot say.
    (target[name] as Float64Array).set((source[name] as Float64Array).subarray(from, end), at);
  }
  if (target.held && source.held) {
    for (let i = from; i < end; i++) target.held[at + i - from] = source.held[i];
  }
}

/** Consecutive rows `from` to `end` (excluded) of the block with this index. */
export interface Span {
  readonly block: number;
  readonly from: number;
  readonly end: number;
}

/** Index of the first block that has a uid of at least `uid`. */
export function blockFor(blocks: readonly Block[], uid: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lastUid(blocks[middle] as Block) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const lastUid = (block: Block): number => block.uid[block.uid.length - 1] as number;

/** The rows that `uids` name, ascending; uids that are not there are passed over. */
export function spans(blocks: readonly Block[], uids: UidRanges): Span[] {
  const found: Span[] = [];
  for (const [first, last] of uids) {
    for (let block = blockFor(blocks, first); block < blocks.length; block++) {
      const { uid } = blocks[block] as Block;
      const from = lowerBound(uid, first);
      const end = last >= lastUid(blocks[block] as Block) ? uid.length : lowerBound(uid, last + 1);
      if (end > from) found.push({ block, from, end });
      if (end < uid.length) break;
    }
  }
  return found;
}

/** Adds rows at the end: the last block is filled up, then new ones follow. */
export function appendRows(blocks: readonly StoreBlock[], rows: StoreBlock): StoreBlock[] {
  const out = blocks.slice();
  const count = rows.uid.length;
  let done = 0;
  const last = out.at(-1);
  if (last && last.uid.length < BLOCK_SIZE && count > 0) {
    const before = last.uid.length;
    done = Math.min(BLOCK_SIZE - before, count);
    const filled = extended(last, done);
    copyRows(filled, before, rows, 0, done);
    out[out.length - 1] = filled;
  }
  while (done < count) {
    const part = Math.min(BLOCK_SIZE, count - done);
    const block = emptyRows(part, rows.held !== undefined);
    copyRows(block, 0, rows, done, done + part);
    out.push(block);
    done += part;
  }
  return out;
}

/** A block this small is joined with a neighbour, so that a thinned out mailbox does not consist of crumbs. */
const SMALL = BLOCK_SIZE / 4;

/** Without the rows of `gone`. */
export function removeRows(blocks: readonly StoreBlock[], gone: readonly Span[]): StoreBlock[] {
  const out: StoreBlock[] = [];
  let next = 0;
  for (let index = 0; index < blocks.length; index++) {
    const block = blocks[index] as StoreBlock;
    if (gone[next]?.block !== index) {
      push(out, block, false);
      continue;
    }
    let removed = 0;
    const first = next;
    while (gone[next]?.block === index) {
      const span = gone[next++] as Span;
      removed += span.end - span.from;
    }
    if (removed === block.uid.length) continue;
    const kept = emptyRows(block.uid.length - removed, block.held !== undefined);
    let at = 0;
    let from = 0;
    for (const span of gone.slice(first, next)) {
      copyRows(kept, at, block, from, span.from);
      at += span.from - from;
      from = span.end;
    }
    copyRows(kept, at, block, from, block.uid.length);
    push(out, kept, true);
  }
  return out;
}

function push(out: StoreBlock[], block: StoreBlock, shrunk: boolean): void {
  const before = out.at(-1);
  const joinable =
    before !== undefined &&
    before.uid.length + block.uid.length <= BLOCK_SIZE &&
    // Only crumbs are joined: otherwise an expunge would copy blocks that it does not concern.
    (before.uid.length < SMALL || (shrunk && block.uid.length < SMALL));
  if (!joinable) {
    out.push(block);
    return;
  }
  const joined = emptyRows(before.uid.length + block.uid.length, block.held !== undefined);
  copyRows(joined, 0, before, 0, before.uid.length);
  copyRows(joined, before.uid.length, block, 0, block.uid.length);
  out[out.length - 1] = joined;
}
