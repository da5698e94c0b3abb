import assert from 'node:assert/strict';
import { it } from 'vitest';
import { fakeClock } from './clock.ts';

it('calls back in the order of time, each at its own time, and in order of asking at the same time', async () => {
  const clock = fakeClock(1000);
  const calls: [string, number][] = [];
  const call = (name: string) => () => void calls.push([name, clock.now()]);
  clock.after(30, call('late'));
  clock.after(10, call('early'));
  clock.after(10, call('early too'));
  await clock.advance(20);
  assert.deepEqual(calls, [
    ['early', 1010],
    ['early too', 1010],
  ]);
  assert.equal(clock.now(), 1020);
  assert.equal(clock.pending, 1);
  await clock.advance(10);
  assert.deepEqual(calls.at(-1), ['late', 1030]);
});

it('also calls what callbacks and the promises behind them ask for on the way', async () => {
  const clock = fakeClock(0);
  const wait = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  const at: number[] = [];
  void (async () => {
    for (let i = 0; i < 3; i++) {
      await wait(10);
      at.push(clock.now());
    }
  })();
  await clock.advance(25);
  assert.deepEqual(at, [10, 20]);
  await clock.advance(5);
  assert.deepEqual(at, [10, 20, 30]);
});

it('a cancelled callback is not called, and cancelling twice does no harm', async () => {
  const clock = fakeClock();
  const cancel = clock.after(1, () => assert.fail('cancelled'));
  cancel();
  cancel();
  await clock.advance(10);
  assert.equal(clock.pending, 0);
});

it('setting the clock moves no timer', async () => {
  const clock = fakeClock(1000);
  let called = 0;
  clock.after(10, () => called++);
  clock.set(500);
  assert.equal(clock.now(), 500);
  await clock.advance(9);
  assert.equal(called, 0);
  await clock.advance(1);
  assert.equal(called, 1);
  assert.equal(clock.now(), 510);
});
