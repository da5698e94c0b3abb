/** Where the messages of a snapshot lie: what the index knows them by. A copy lies where the original lies. */
import type { MailboxSnapshot, UidRanges } from '@mail-server-kit/core';
import type { StoreBlock } from '../state/block.ts';
import { spans } from '../state/blocks.ts';
import type { Wanted } from './scan-index.ts';

/** Blocks after which others get their turn. */
const TURN = 32;

export async function rowsAt(snapshot: MailboxSnapshot, uids: UidRanges): Promise<Wanted> {
  const blocks = snapshot.blocks as readonly StoreBlock[];
  const found = spans(blocks, uids);
  const count = found.reduce((sum, { from, end }) => sum + end - from, 0);
  const rows = {
    uids: new Uint32Array(count),
    places: new Float64Array(count),
    marks: new Uint32Array(count),
  };
  let at = 0;
  for (const [i, { block, from, end }] of found.entries()) {
    if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    const { uid, place, size, internalDate } = (blocks[block] as StoreBlock).columns;
    rows.uids.set(uid.subarray(from, end), at);
    rows.places.set(place.subarray(from, end), at);
    for (let row = from; row < end; row++) {
      rows.marks[at++] = markOf(size[row] as number, internalDate[row] as number);
    }
  }
  return rows;
}

const date = new Float64Array(1);
const words = new Int32Array(date.buffer);

/**
 * Tells a message from another one that lay at the same place: the end of a journal that was not synced is lost with the
 * power, and others take its place. Size and internal date are the same in all copies.
 */
export function markOf(size: number, internalDate: number): number {
  date[0] = internalDate;
  const mixed =
    Math.imul(words[0] as number, 0x85ebca6b) ^ Math.imul(words[1] as number, 0xc2b2ae35);
  return Math.imul(size ^ mixed, 0x9e3779b1) >>> 0;
}
