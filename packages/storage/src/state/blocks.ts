/** The blocks of a mailbox: finding rows in them, and lists of them with rows more or less. */
import { BLOCK_SIZE, lowerBound, type Uid, type UidRanges } from '@mail-server-kit/core';
import { blockOf, grownBlock, type About, type StoreBlock } from './block.ts';
import { copyRows, emptyRows, type Columns } from './columns.ts';

/** Consecutive rows `from` to `end` (excluded) of the block with this index. */
export interface Span {
  readonly block: number;
  readonly from: number;
  readonly end: number;
}

/** Index of the first block that has a uid of at least `uid`. */
export function blockFor(blocks: readonly Pick<About, 'lastUid'>[], uid: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((blocks[middle] as About).lastUid < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rows that `uids` name, ascending; uids that are not there are passed over. Looks at columns only where a range begins or ends. */
export function spans(blocks: readonly StoreBlock[], uids: UidRanges): Span[] {
  const found: Span[] = [];
  // Of a hundred thousand ranges most begin in the block in which the one before them has ended.
  let looked: Looked | undefined;
  for (const [first, last] of uids) {
    const same = looked && first >= looked.firstUid && first <= looked.lastUid;
    let index = same && looked ? looked.index : blockFor(blocks, first);
    for (; index < blocks.length; index++) {
      const about = looked?.index === index ? looked : (blocks[index] as StoreBlock);
      const { firstUid, lastUid, length } = about;
      if (firstUid > last) break;
      const whole = first <= firstUid && last >= lastUid;
      if (!whole && about !== looked) {
        looked = { index, firstUid, lastUid, length, uid: (blocks[index] as StoreBlock).uid };
      }
      const from = first <= firstUid ? 0 : rowFrom(looked as Looked, first);
      const end = last >= lastUid ? length : rowFrom(looked as Looked, last + 1);
      if (end > from) found.push({ block: index, from, end });
      if (end < length) break;
    }
  }
  return found;
}

/** A block whose uids are at hand. */
interface Looked {
  readonly index: number;
  readonly firstUid: Uid;
  readonly lastUid: Uid;
  readonly length: number;
  readonly uid: Uint32Array;
}

/** The first row with a uid of at least `uid`: where it would be if none were missing, or else it is searched. */
function rowFrom({ uid: rows, firstUid }: Looked, uid: number): number {
  const row = uid - firstUid;
  return rows[row] === uid ? row : lowerBound(rows, uid);
}

/** Adds rows at the end: the last block is filled up, then new ones follow. */
export function appendRows(blocks: readonly StoreBlock[], rows: Columns): StoreBlock[] {
  const out = blocks.slice();
  const count = rows.uid.length;
  let done = 0;
  const last = out.at(-1);
  if (last && last.length < BLOCK_SIZE && count > 0) {
    done = Math.min(BLOCK_SIZE - last.length, count);
    out[out.length - 1] = grownBlock(last, rows, done);
  }
  while (done < count) {
    const part = Math.min(BLOCK_SIZE, count - done);
    const block = emptyRows(part, rows.held !== undefined);
    copyRows(block, 0, rows, done, done + part);
    out.push(blockOf(block));
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
    if (removed === block.length) continue;
    const { columns } = block;
    const kept = emptyRows(block.length - removed, columns.held !== undefined);
    let at = 0;
    let from = 0;
    for (const span of gone.slice(first, next)) {
      copyRows(kept, at, columns, from, span.from);
      at += span.from - from;
      from = span.end;
    }
    copyRows(kept, at, columns, from, block.length);
    push(out, blockOf(kept), true);
  }
  return out;
}

function push(out: StoreBlock[], block: StoreBlock, shrunk: boolean): void {
  const before = out.at(-1);
  const joinable =
    before !== undefined &&
    before.length + block.length <= BLOCK_SIZE &&
    // Only crumbs are joined: otherwise an expunge would copy blocks that it does not concern.
    (before.length < SMALL || (shrunk && block.length < SMALL));
  if (!joinable) {
    out.push(block);
    return;
  }
  const { columns } = block;
  const joined = emptyRows(before.length + block.length, columns.held !== undefined);
  copyRows(joined, 0, before.columns, 0, before.length);
  copyRows(joined, before.length, columns, 0, block.length);
  out[out.length - 1] = blockOf(joined);
}
