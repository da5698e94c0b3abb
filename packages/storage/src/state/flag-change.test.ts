import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ModSeq } from '@mail-server-kit/core';
import { describe, it } from 'vitest';
import { blockOf, type StoreBlock } from './block.ts';
import { columnNames, emptyRows } from './columns.ts';
import { changesRows, isChanged, withChange, type FlagChange } from './flag-change.ts';

/** Few bits, so that blocks have some of them in all rows and some in none. */
const word = fc.constantFrom(0, 1, 8, 9, 0x8000_0000, 0x8000_0009);
const change: fc.Arbitrary<FlagChange> = fc.record({
  clearLow: fc.oneof(word, fc.constant(0xffff_ffff)),
  clearHigh: word,
  setLow: word,
  setHigh: word,
});
const flags = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 20 });

function block(rows: readonly (readonly [number, number])[]): StoreBlock {
  const columns = emptyRows(rows.length, false);
  rows.forEach(([low, high], i) => {
    columns.uid[i] = i * 2 + 1;
    columns.flagsLow[i] = low;
    columns.flagsHigh[i] = high;
    columns.modSeq[i] = 1;
    columns.email[i] = i;
  });
  return blockOf(columns);
}

const look = (of: StoreBlock) => columnNames.map((name) => [...of[name]]);

function about(of: StoreBlock): object {
  const { length, firstUid, lastUid, unseen, deleted } = of;
  const { someLow, someHigh, everyLow, everyHigh } = of;
  return { length, firstUid, lastUid, unseen, deleted, someLow, someHigh, everyLow, everyHigh };
}

describe('a change of flags', () => {
  it('is known to change all rows of a block, or none, only if it is so', () => {
    fc.assert(
      fc.property(flags, change, (rows, each) => {
        const known = changesRows(block(rows), each);
        const changed = rows.filter(([low, high]) => isChanged(low, high, each)).length;
        if (known === 'all') assert.equal(changed, rows.length);
        if (known === 'none') assert.equal(changed, 0);
        // Rows with the same flags need not be looked at.
        if (new Set(rows.map(String)).size === 1) assert.notEqual(known, 'some');
      }),
    );
  });

  it('of all rows of a block comes to the same, looked at now, later or never', () => {
    const steps = fc.array(fc.tuple(change, fc.boolean()), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(flags, steps, (rows, changes) => {
        const first = block(rows);
        const before = look(first);
        let now = first;
        let expected = first;
        changes.forEach(([each, looksNow], i) => {
          now = now.changed(each, (i + 2) as ModSeq);
          expected = blockOf(withChange(expected.columns, each, i + 2));
          assert.deepEqual(about(now), about(expected));
          assert.equal(now.resident, false);
          if (looksNow) assert.deepEqual(look(now), look(expected));
        });
        assert.deepEqual(look(now), look(expected));
        assert.deepEqual(look(first), before);
      }),
    );
  });
});
