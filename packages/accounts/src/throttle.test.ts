import assert from 'node:assert/strict';
import { fakeClock } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { createThrottle, type Guess, type Throttle } from './throttle.ts';

const MINUTE = 60_000;
const guess = (network: string | undefined, userName: string): Guess => ({ network, userName });

function isHeldUp(throttle: Throttle, at: Guess): boolean {
  try {
    throttle.admit(at);
    return false;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'THROTTLED');
    return true;
  }
}

/** Milliseconds until the next guess is looked at. */
function waitFor(throttle: Throttle, clock: ReturnType<typeof fakeClock>, at: Guess): number {
  const start = clock.now();
  let wait = 0;
  while (isHeldUp(throttle, at)) clock.set(start + (wait += 500));
  clock.set(start);
  return wait;
}

describe('throttle', () => {
  it('doubles the delay with every guess at one account beyond five, up to its bound', () => {
    const clock = fakeClock();
    const throttle = createThrottle(clock, { networkGuesses: 1000, maxDelay: 10_000 });
    const at = guess('192.0.2.0/24', 'alice@example.org');
    const waits = Array.from({ length: 12 }, () => {
      throttle.failed(at);
      return waitFor(throttle, clock, at);
    });
    assert.deepEqual(waits, [0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  it('holds up a network that tries one password on many accounts', () => {
    const throttle = createThrottle(fakeClock());
    for (let i = 0; i < 21; i++) throttle.failed(guess('192.0.2.0/24', `user${i}`));
    assert.ok(isHeldUp(throttle, guess('192.0.2.0/24', 'another')));
    assert.ok(!isHeldUp(throttle, guess('198.51.100.0/24', 'another')));
  });

  it('never keeps the owner out because of guesses from elsewhere', () => {
    const throttle = createThrottle(fakeClock());
    for (let network = 0; network < 1000; network++) {
      for (let i = 0; i < 30; i++) throttle.failed(guess(`10.0.${network}.0/24`, 'alice'));
    }
    assert.ok(!isHeldUp(throttle, guess('192.0.2.0/24', 'alice')));
  });

  it('does not let a network’s guesses hold up an account that has logged in from there', () => {
    const throttle = createThrottle(fakeClock());
    const alice = guess('192.0.2.0/24', 'alice');
    throttle.succeeded(alice);
    for (let i = 0; i < 100; i++) throttle.failed(guess('192.0.2.0/24', `user${i}`));
    assert.ok(!isHeldUp(throttle, alice));
    assert.ok(isHeldUp(throttle, guess('192.0.2.0/24', 'bob')));
  });

  it('holds up a familiar account for half a minute at most', () => {
    const clock = fakeClock();
    const throttle = createThrottle(clock);
    const alice = guess('192.0.2.0/24', 'alice');
    throttle.succeeded(alice);
    for (let i = 0; i < 50; i++) throttle.failed(alice);
    assert.equal(waitFor(throttle, clock, alice), 30_000);
  });

  it('a success with one account does not wipe what its network guessed at others', () => {
    const throttle = createThrottle(fakeClock());
    for (let i = 0; i < 25; i++) {
      throttle.failed(guess('192.0.2.0/24', `user${i}`));
      throttle.succeeded(guess('192.0.2.0/24', 'own'));
    }
    assert.ok(isHeldUp(throttle, guess('192.0.2.0/24', 'user99')));
  });

  it('forgives one guess at an account every ten minutes', () => {
    const clock = fakeClock();
    const throttle = createThrottle(clock);
    const at = guess('192.0.2.0/24', 'alice');
    for (let i = 0; i < 5; i++) throttle.failed(at);
    clock.set(clock.now() + 20 * MINUTE);
    throttle.failed(at);
    throttle.failed(at);
    assert.ok(!isHeldUp(throttle, at));
    throttle.failed(at);
    assert.ok(isHeldUp(throttle, at));
  });

  it('lets nobody wait forever when the clock is set back', () => {
    const clock = fakeClock();
    const throttle = createThrottle(clock);
    const at = guess('192.0.2.0/24', 'alice');
    for (let i = 0; i < 8; i++) throttle.failed(at);
    assert.ok(isHeldUp(throttle, at));
    clock.set(clock.now() - 365 * 24 * 60 * MINUTE);
    assert.ok(!isHeldUp(throttle, at));
  });

  it('remembers a bounded number, and does not forget the familiar for a flood of strangers', () => {
    const throttle = createThrottle(fakeClock(), { entries: 10 });
    const alice = guess('192.0.2.0/24', 'alice');
    throttle.succeeded(alice);
    for (let i = 0; i < 1000; i++) throttle.failed(guess('192.0.2.0/24', `user${i}`));
    assert.ok(!isHeldUp(throttle, alice));
    for (let i = 0; i < 30; i++) throttle.failed(guess('198.51.100.0/24', 'bob'));
    for (let i = 0; i < 10; i++) throttle.failed(guess(`203.0.${i}.0/24`, 'bob'));
    assert.ok(!isHeldUp(throttle, guess('198.51.100.0/24', 'bob')));
  });

  it('leaves logins within the process alone', () => {
    const throttle = createThrottle(fakeClock());
    for (let i = 0; i < 100; i++) throttle.failed(guess(undefined, 'alice'));
    assert.ok(!isHeldUp(throttle, guess(undefined, 'alice')));
  });
});
