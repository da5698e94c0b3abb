import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { createHashQueue, spareThreads } from './hash-queue.ts';

/** A queue of jobs that end when told to. */
function bench(concurrency: number, waiting: number) {
  const queue = createHashQueue({ concurrency, waiting });
  const started: string[] = [];
  const refused: string[] = [];
  const ends: (() => void)[] = [];
  return {
    queue,
    started,
    refused,
    add(line: string, name: string) {
      const work = () => {
        started.push(name);
        return new Promise<void>((resolve) => ends.push(resolve));
      };
      queue.run(line, work).catch((error: Error & { code?: string }) => {
        refused.push(`${name} ${error.code}`);
      });
    },
    async finish(count = 1) {
      for (let i = 0; i < count; i++) {
        ends.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe('the hash queue', () => {
  it('runs no more at once than it may', async () => {
    const { add, started, finish } = bench(2, 10);
    for (const name of ['1', '2', '3', '4']) add('a', name);
    assert.deepEqual(started, ['1', '2']);
    await finish();
    assert.deepEqual(started, ['1', '2', '3']);
    await finish(3);
    assert.deepEqual(started, ['1', '2', '3', '4']);
  });

  it('lets lines take turns: the owner comes next, however many guesses another network has waiting', async () => {
    const { add, started, finish } = bench(1, 100);
    for (let i = 0; i < 50; i++) add('attacker', `guess ${i}`);
    add('owner', 'owner');
    add('neighbour', 'neighbour');
    await finish(3);
    assert.deepEqual(started, ['guess 0', 'guess 1', 'owner', 'neighbour']);
  });

  it('refuses beyond its bound with THROTTLED, the newest of the longest line first', async () => {
    const { add, started, refused, finish } = bench(1, 3);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) add('a', name);
    await finish(0);
    add('b', 'b1');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(refused, ['a5 THROTTLED', 'a4 THROTTLED']);
    await finish(4);
    assert.deepEqual(started, ['a1', 'a2', 'b1', 'a3']);
  });

  it('goes on after work that fails, and hands on its error', async () => {
    const queue = createHashQueue({ concurrency: 1, waiting: 1 });
    await assert.rejects(
      queue.run('a', () => Promise.reject(new Error('broken'))),
      /broken/,
    );
    assert.equal(await queue.run('a', async () => 7), 7);
  });

  it('on close refuses what waits and waits for what runs', async () => {
    const { queue, add, refused, finish } = bench(1, 3);
    add('a', 'running');
    add('a', 'waiting');
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([closed, refused], [false, ['waiting UNAVAILABLE']]);
    await finish();
    await closing;
    await assert.rejects(
      queue.run('a', async () => {}),
      { code: 'UNAVAILABLE' },
    );
  });

  it('leaves two threads of the pool to others, and has at least one', () => {
    const table = [
      [undefined, 2],
      ['', 2],
      ['1', 1],
      ['2', 1],
      ['8', 6],
      ['nonsense', 2],
    ] as const;
    for (const [size, spare] of table) {
      assert.equal(spareThreads(size === undefined ? {} : { UV_THREADPOOL_SIZE: size }), spare);
    }
  });
});
