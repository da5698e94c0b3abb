import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import type { AccountId } from '@mail-server-kit/core';
import { REMEMBERED, REMEMBERED_MS, Repeats } from './repeats.ts';

const repeat = (id: string, at: number, account = '') => ({
  ...{ id, at, lsn: 1, results: [] },
  account: account as AccountId | '',
});

describe('results of commits with an id', () => {
  it('are known for an hour', () => {
    const repeats = new Repeats();
    repeats.add(repeat('a', 0), 0);
    assert.ok(repeats.get('a', REMEMBERED_MS));
    assert.equal(repeats.get('a', REMEMBERED_MS + 1), undefined);
  });

  it('are forgotten earlier, the oldest first, when there are more than 100,000', () => {
    const repeats = new Repeats(true);
    for (let i = 0; i < REMEMBERED; i++) repeats.add(repeat(`${i}`, i), i);
    repeats.takeChanged();
    repeats.add(repeat('one more', REMEMBERED), REMEMBERED);
    assert.equal(repeats.get('0', REMEMBERED), undefined);
    assert.ok(repeats.get('1', REMEMBERED));
    // A checkpoint removes it too.
    assert.deepEqual([...repeats.takeChanged().keys()].sort(), ['0', 'one more']);
  });

  it('are forgotten with the account that they tell of', () => {
    const repeats = new Repeats(true);
    for (const account of ['', 'anna', 'ben']) repeats.add(repeat(`of ${account}`, 0, account), 0);
    repeats.takeChanged();
    repeats.forget(['anna' as AccountId]);
    assert.equal(repeats.get('of anna', 0), undefined);
    assert.ok(repeats.get('of ben', 0) && repeats.get('of ', 0));
    assert.deepEqual([...repeats.takeChanged().keys()], ['of anna']);
  });
});
