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
  const rows = { uids: new Uint32Array(count), places: new Float64Array(count) };
  let at = 0;
  for (const [i, { block, from, end }] of found.entries()) {
    if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    const { uid, place } = blocks[block] as StoreBlock;
    rows.uids.set(uid.subarray(from, end), at);
    rows.places.set(place.subarray(from, end), at);
    at += end - from;
  }
  return rows;
}
