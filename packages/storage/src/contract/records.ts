import assert from 'node:assert/strict';
import type { MailStore } from '@mail-server-kit/core';
import { collect, fails, octets, text, withStore, type Open, type Runner } from './given.ts';

type Range = Parameters<MailStore['records']>[1];

async function keysOf(store: MailStore, range?: Range): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.records('s', range)) keys.push(key);
  return keys;
}

export function recordPromises({ describe, it }: Runner, open: Open): void {
  describe('records', () => {
    it(
      'are read as they were put, with versions that count on',
      withStore(open, async ({ store, write }) => {
        assert.equal(await store.record('s', 'k'), undefined);
        assert.equal(
          (await write({ op: 'putRecord', space: 's', key: 'k', value: octets('one') })).version,
          1,
        );
        assert.equal(
          (await write({ op: 'putRecord', space: 's', key: 'k', value: octets('two') })).version,
          2,
        );
        const record = await store.record('s', 'k');
        assert.deepEqual(
          [record?.key, text(record?.value), record?.version, record?.size],
          ['k', 'two', 2, undefined],
        );
      }),
    );

    it(
      'keep their version through a delete',
      withStore(open, async ({ store, write }) => {
        await write({ op: 'putRecord', space: 's', key: 'k', value: octets('one') });
        await write({ op: 'deleteRecord', space: 's', key: 'k' });
        assert.equal(await store.record('s', 'k'), undefined);
        assert.equal(
          (await write({ op: 'putRecord', space: 's', key: 'k', value: octets('two') })).version,
          2,
        );
        await write({ op: 'deleteRecord', space: 's', key: 'never-was' });
      }),
    );

    it(
      'of different spaces have nothing to do with each other',
      withStore(open, async ({ store, write }) => {
        await write({ op: 'putRecord', space: 's', key: 'k', value: octets('one') });
        assert.equal(await store.record('t', 'k'), undefined);
      }),
    );

    it(
      'may have content, which is read in parts',
      withStore(open, async ({ store, write }) => {
        const { stage } = await store.stage([octets('staged content')]);
        await write({
          op: 'putRecord',
          space: 's',
          key: 'k',
          value: octets('v'),
          content: [octets('> '), { stage }],
        });
        assert.equal((await store.record('s', 'k'))?.size, 16);
        assert.equal(await collect(store.read({ space: 's', key: 'k' })), '> staged content');
        assert.equal(await collect(store.read({ space: 's', key: 'k' }, 2, 8)), 'staged');
        await fails(collect(store.read({ space: 's', key: 'other' })), 'NONEXISTENT');
      }),
    );

    it(
      'are listed by the octets of their keys',
      withStore(open, async ({ store, write }) => {
        for (const key of ['b', 'a', 'B', 'é', 'a/1', '\uFFFD', '\u{1F4E7}', 'aa'])
          await write({ op: 'putRecord', space: 's', key, value: octets('') });
        assert.deepEqual(await keysOf(store), [
          'B',
          'a',
          'a/1',
          'aa',
          'b',
          'é',
          '\uFFFD',
          '\u{1F4E7}',
        ]);
      }),
    );

    it(
      'are listed from (included) to (excluded), limited, backwards',
      withStore(open, async ({ store, write }) => {
        for (const key of ['a', 'b', 'c', 'd', 'e'])
          await write({ op: 'putRecord', space: 's', key, value: octets('') });
        assert.deepEqual(await keysOf(store, { from: 'b', to: 'd' }), ['b', 'c']);
        assert.deepEqual(await keysOf(store, { from: 'bb' }), ['c', 'd', 'e']);
        assert.deepEqual(await keysOf(store, { limit: 2 }), ['a', 'b']);
        assert.deepEqual(await keysOf(store, { reverse: true }), ['e', 'd', 'c', 'b', 'a']);
        assert.deepEqual(await keysOf(store, { reverse: true, from: 'b', to: 'd' }), ['c', 'b']);
        assert.deepEqual(await keysOf(store, { reverse: true, limit: 1 }), ['e']);
        assert.deepEqual(await keysOf(store, { from: 'x' }), []);
        assert.deepEqual(await keysOf(store, { limit: 0 }), []);
      }),
    );

    it(
      'are listed by thousands, also while others come and go',
      withStore(open, async ({ store, write }) => {
        const name = (i: number) => `k${String(i).padStart(5, '0')}`;
        await store.commit(
          Array.from({ length: 3000 }, (_, i) => ({
            op: 'putRecord' as const,
            space: 's',
            key: name(i),
            value: octets(`${i}`),
          })),
        );
        const seen: string[] = [];
        for await (const { key } of store.records('s')) {
          seen.push(key);
          if (seen.length % 500 === 1) await write({ op: 'deleteRecord', space: 's', key });
        }
        assert.deepEqual(
          seen,
          Array.from({ length: 3000 }, (_, i) => name(i)),
        );
        assert.equal((await keysOf(store, { reverse: true })).length, 2994);
      }),
    );

    it(
      'are expected at a version, or the commit fails: CONFLICT',
      withStore(open, async ({ store, write }) => {
        await write({ op: 'expectRecord', space: 's', key: 'k', version: 0 });
        await write({ op: 'putRecord', space: 's', key: 'k', value: octets('one') });
        await fails(write({ op: 'expectRecord', space: 's', key: 'k', version: 0 }), 'CONFLICT', 0);
        const swap = () =>
          store.commit([
            { op: 'expectRecord', space: 's', key: 'k', version: 1 },
            { op: 'putRecord', space: 's', key: 'k', value: octets('two') },
          ]);
        const outcomes = await Promise.allSettled([swap(), swap(), swap()]);
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
        assert.equal((await store.record('s', 'k'))?.version, 2);
        await write({ op: 'deleteRecord', space: 's', key: 'k' });
        await write({ op: 'expectRecord', space: 's', key: 'k', version: 0 });
      }),
    );

    it(
      'are gone when their time is over',
      withStore(open, async ({ store, write }) => {
        await write({ op: 'putRecord', space: 's', key: 'old', value: octets('x'), expires: 1 });
        await write({ op: 'putRecord', space: 's', key: 'new', value: octets('x'), expires: 8e15 });
        assert.equal(await store.record('s', 'old'), undefined);
        assert.deepEqual(await keysOf(store), ['new']);
        await write({ op: 'expectRecord', space: 's', key: 'old', version: 0 });
      }),
    );

    it(
      'have spaces and keys of 1 to 200 octets',
      withStore(open, async ({ store, write }) => {
        await write({ op: 'putRecord', space: 's', key: 'é'.repeat(100), value: octets('x') });
        assert.ok(await store.record('s', 'é'.repeat(100)));
        for (const key of ['', 'é'.repeat(101)]) {
          await assert.rejects(
            write({ op: 'putRecord', space: 's', key, value: octets('x') }),
            TypeError,
          );
        }
      }),
    );
  });
}
