import assert from 'node:assert/strict';
import fc from 'fast-check';
import { normalize, type Uid } from '@mail-server-kit/core';
import { describe, it } from 'vitest';
import { blockOf, type StoreBlock } from './block.ts';
import { appendRows, removeRows, spans } from './blocks.ts';
import { emptyRows, withOwnFlags, type Columns } from './columns.ts';

function rowsFrom(first: number, count: number): Columns {
  const rows = emptyRows(count, false);
  for (let i = 0; i < count; i++) {
    rows.uid[i] = first + i;
    rows.email[i] = (first + i) * 3;
    rows.internalZone[i] = (first + i) % 100;
  }
  return rows;
}

const uidsOf = (blocks: readonly StoreBlock[]) => blocks.flatMap(({ uid }) => [...uid]);

describe('blocks of rows', () => {
  it('hold what was appended and not removed, and old states stay as they were', () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ from: fc.nat(2000), length: fc.integer({ min: 1, max: 600 }) }),
      fc.record({ flag: fc.nat(2000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let blocks: StoreBlock[] = [];
        let expected: number[] = [];
        let next = 1;
        const before: { blocks: StoreBlock[]; copy: unknown }[] = [];
        for (const each of steps) {
          before.push({ blocks, copy: structuredClone(blocks) });
          if ('append' in each) {
            blocks = appendRows(blocks, rowsFrom(next, each.append));
            for (let i = 0; i < each.append; i++) expected.push(next++);
          } else if ('flag' in each) {
            const index = each.flag % Math.max(1, blocks.length);
            const block = blocks[index];
            if (!block) continue;
            const changed = withOwnFlags(block.columns);
            changed.flagsLow.fill(7);
            blocks = blocks.map((old, i) => (i === index ? blockOf(changed) : old));
          } else {
            const range = normalize([[each.from, each.from + each.length]]);
            blocks = removeRows(blocks, spans(blocks, range));
            expected = expected.filter((uid) => uid < each.from || uid > each.from + each.length);
          }
        }
        assert.deepEqual(uidsOf(blocks), expected);
        for (const block of blocks) {
          const { uid, email, internalZone } = block;
          assert.ok(uid.length >= 1 && uid.length <= 512);
          assert.deepEqual(
            [block.length, block.firstUid, block.lastUid],
            [uid.length, uid[0], uid.at(-1)],
          );
          uid.forEach((each, i) => {
            assert.equal(email[i], each * 3);
            assert.equal(internalZone[i], each % 100);
          });
        }
        for (const { blocks: old, copy } of before) {
          assert.deepEqual(structuredClone(old), copy);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are found by lists of ranges, with gaps in both', () => {
    const ranges = fc.array(fc.tuple(fc.nat(2200), fc.nat(30)), { maxLength: 60 });
    fc.assert(
      fc.property(ranges, ranges, (gone, wanted) => {
        const cut = (list: typeof gone) =>
          normalize(list.map(([first, more]) => [(first + 1) as Uid, (first + 1 + more) as Uid]));
        const all = appendRows([], rowsFrom(1, 2000));
        const blocks = removeRows(all, spans(all, cut(gone)));
        const uids = cut(wanted);
        const found = spans(blocks, uids).flatMap(({ block, from, end }) => [
          ...(blocks[block] as StoreBlock).uid.subarray(from, end),
        ]);
        const isWanted = (uid: number) => uids.some(([first, last]) => uid >= first && uid <= last);
        assert.deepEqual(found, uidsOf(blocks).filter(isWanted));
      }),
      { numRuns: 60 },
    );
  });
});
