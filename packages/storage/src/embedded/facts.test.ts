/** Which facts lie in the index. */
import assert from 'node:assert/strict';
import { silent, type AccountId, type MailboxId, type ModSeq } from '@mail-server-kit/core';
import { describe, it } from 'vitest';
import { emptyRows } from '../state/columns.ts';
import type { Delta } from '../state/delta.ts';
import { CacheBudget } from './cache.ts';
import { FactsIndex } from './facts.ts';
import { Packer, Unpacker } from './pack.ts';

const anna = 'anna' as AccountId;
const facts = () =>
  new FactsIndex({ cache: new CacheBudget(1000), log: silent, get: () => [undefined] });

function rowsAt(mailbox: string, places: readonly number[]): Delta {
  const rows = emptyRows(places.length, false);
  rows.place.set(places);
  rows.placeOctets.fill(10);
  const about = { mailbox: mailbox as MailboxId, account: anna, modSeq: 1 as ModSeq };
  return { kind: 'rows', ...about, flagNames: [], rows };
}

describe('the facts of an account', () => {
  it('are listed once and in their order, though a message was copied in the commit that brought it', () => {
    const kept = facts();
    kept.apply([rowsAt('A', [100, 200]), rowsAt('B', [100]), rowsAt('C', [200, 300])], 50);
    kept.apply([rowsAt('A', [100, 500])], 400);
    const { came } = kept.take();
    assert.deepEqual([...came], [[anna, 4]]);
    const packed = (from: FactsIndex, count: number) => {
      const packer = new Packer(64);
      from.list(anna, count)?.(packer);
      return packer.bytes.slice();
    };
    const list = packed(kept, 4);
    const again = facts();
    again.adopt(anna, new Unpacker(list));
    assert.deepEqual(packed(again, 4), list);
  });
});
