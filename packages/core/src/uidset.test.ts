import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Uid } from './numbers.ts';
import {
  ascending,
  countUids,
  eachUid,
  hasUid,
  intersect,
  normalize,
  printUids,
  subtract,
  uidRanges,
  unite,
  type UidRanges,
} from './uidset.ts';

const uid = (max: number) => fc.integer({ min: 1, max });
/** Few values, so that ranges touch and overlap; and a few that are as large as uids can be. */
const members = fc.array(fc.oneof(uid(30), fc.integer({ min: 0xffff_fff0, max: 0xffff_ffff })), {
  maxLength: 40,
});
const sorted = (values: Iterable<number>) => [...new Set(values)].sort((a, b) => a - b);

function checkForm(set: UidRanges): void {
  set.forEach(([first, last], index) => {
    assert.ok(first <= last);
    const before = set[index - 1];
    // Neighbours are joined, so there is a gap.
    if (before) assert.ok(first > before[1] + 1);
  });
}

function same(set: UidRanges, model: Iterable<number>): void {
  checkForm(set);
  assert.deepEqual([...eachUid(set)], sorted(model));
}

describe('sets of uids', () => {
  it('have the members they were made of, in any order and with duplicates', () => {
    fc.assert(
      fc.property(members, (values) => {
        const set = uidRanges(values);
        same(set, values);
        assert.deepEqual(ascending([...values].sort((a, b) => a - b)), set);
        assert.equal(countUids(set), sorted(values).length);
      }),
    );
  });

  it('are made of ranges that overlap and of either direction', () => {
    const ranges = fc.array(fc.tuple(uid(40), uid(40)), { maxLength: 12 });
    fc.assert(
      fc.property(ranges, (pairs) => {
        const model = new Set<number>();
        for (const [a, b] of pairs)
          for (let i = Math.min(a, b); i <= Math.max(a, b); i++) model.add(i);
        same(normalize(pairs), model);
      }),
    );
  });

  it('unite, intersect, subtract and know their members, as sets do', () => {
    fc.assert(
      fc.property(members, members, (these, those) => {
        const [a, b] = [uidRanges(these), uidRanges(those)];
        const [inA, inB] = [new Set(these), new Set(those)];
        same(unite(a, b), [...these, ...those]);
        same(
          intersect(a, b),
          these.filter((value) => inB.has(value)),
        );
        same(
          subtract(a, b),
          these.filter((value) => !inB.has(value)),
        );
        for (const value of [...these, ...those, 31])
          assert.equal(hasUid(a, value), inA.has(value));
      }),
    );
  });

  it('are equal arrays if they are equal sets, whichever way they came to be', () => {
    fc.assert(
      fc.property(members, members, (these, those) => {
        const [a, b] = [uidRanges(these), uidRanges(those)];
        assert.deepEqual(unite(subtract(a, b), intersect(a, b)), a);
        assert.deepEqual(unite(a, b), unite(b, a));
        assert.deepEqual(intersect(a, b), subtract(a, subtract(a, b)));
      }),
    );
  });

  it('of four billion members are as small as of one', () => {
    const everything = normalize([[0xffff_ffff, 1]]);
    assert.deepEqual(everything, [[1, 0xffff_ffff]]);
    assert.equal(countUids(everything), 0xffff_ffff);
    assert.equal(hasUid(everything, 0x8000_0000), true);
    const hole = subtract(everything, uidRanges([5]));
    assert.deepEqual(hole, [
      [1, 4],
      [6, 0xffff_ffff],
    ]);
    assert.deepEqual(intersect(hole, uidRanges([5, 6 as Uid])), [[6, 6]]);
  });

  it('are printed as IMAP writes them', () => {
    assert.equal(printUids(uidRanges([7, 3, 1, 2, 9, 8])), '1:3,7:9');
    assert.equal(printUids(uidRanges([5])), '5');
    assert.equal(printUids([]), '');
  });
});
