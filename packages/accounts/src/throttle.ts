/**
 * Slows down guessing without locking anybody out. Wrong guesses count per network, and per account and network; past an
 * allowance each one doubles the time until the next is looked at. Nothing counts per account alone, so a stranger's guesses
 * never keep the owner out; and an account that has logged in from a network before is not held up by what others of that
 * network guess (an office, a provider's NAT). Kept in memory: a restart forgives.
 */
import { MailError, type Clock } from '@mail-server-kit/core';
import { BoundedMap } from './bounded-map.ts';

export interface ThrottleOptions {
  /** Wrong guesses of one network (/24, /64) that cost no delay. Default 20; one is forgiven every 3 minutes. */
  readonly networkGuesses?: number;
  /** The same for one account from one network. Default 5; one is forgiven every 10 minutes. */
  readonly accountGuesses?: number;
  /** Milliseconds after the first guess beyond; doubles with each further one. Default 1,000. */
  readonly delay?: number;
  /** Default 15 minutes. */
  readonly maxDelay?: number;
  /** Networks, and pairs of account and network, that are remembered. Default 10,000 each. */
  readonly entries?: number;
}

/** Who guesses, at what. `network` undefined: within this process. */
export interface Guess {
  readonly network: string | undefined;
  /** The user name as it is looked up, whether there is such a user or not. */
  readonly userName: string;
}

export interface Throttle {
  /** @throws MailError THROTTLED */
  admit(guess: Guess): void;
  failed(guess: Guess): void;
  succeeded(guess: Guess): void;
}

interface Score {
  /** Guesses not yet forgiven. */
  guesses: number;
  /** When `guesses` was right. */
  at: number;
  /** Until when nothing is looked at. */
  until: number;
}

const NETWORK_FORGIVES = 3 * 60_000;
const ACCOUNT_FORGIVES = 10 * 60_000;
/** For an account where it has logged in before: its owner may be the one who guesses. */
const FAMILIAR_MAX_DELAY = 30_000;

export const unthrottled: Throttle = { admit() {}, failed() {}, succeeded() {} };

export function createThrottle(
  clock: Clock,
  {
    networkGuesses = 20,
    accountGuesses = 5,
    delay = 1000,
    maxDelay = 15 * 60_000,
    entries = 10_000,
  }: ThrottleOptions = {},
): Throttle {
  const networks = new BoundedMap<Score>(entries);
  const pairs = new BoundedMap<Score>(entries);
  /** Pairs that have succeeded; apart from `pairs`, so that no flood of guesses makes us forget them. */
  const familiar = new BoundedMap<true>(entries);

  function count(
    scores: BoundedMap<Score>,
    key: string,
    rule: { allowance: number; forgives: number; maxDelay: number },
  ): void {
    const now = clock.now();
    const before = scores.get(key);
    // A clock that was set back must not add guesses.
    const passed = Math.max(0, now - (before?.at ?? now));
    const guesses = Math.max(0, (before?.guesses ?? 0) - passed / rule.forgives) + 1;
    const beyond = Math.ceil(guesses - rule.allowance);
    // 2^30 times a millisecond is 12 days; beyond that the power only overflows.
    const wait = beyond > 0 ? Math.min(rule.maxDelay, delay * 2 ** Math.min(beyond - 1, 30)) : 0;
    scores.set(key, { guesses, at: now, until: now + wait });
  }

  /** A delay that is longer than any we give comes from a clock that was set back. */
  function isHeldUp(score: Score | undefined): boolean {
    const left = (score?.until ?? 0) - clock.now();
    return left > 0 && left <= maxDelay;
  }

  return {
    admit({ network, userName }) {
      if (network === undefined) return;
      const pair = `${network} ${userName}`;
      const stranger = familiar.get(pair) === undefined;
      if (isHeldUp(pairs.get(pair)) || (stranger && isHeldUp(networks.get(network)))) {
        throw new MailError('THROTTLED', 'Too many failed logins, try again later');
      }
    },
    failed({ network, userName }) {
      if (network === undefined) return;
      const pair = `${network} ${userName}`;
      const longest = familiar.get(pair) ? Math.min(maxDelay, FAMILIAR_MAX_DELAY) : maxDelay;
      count(networks, network, {
        allowance: networkGuesses,
        forgives: NETWORK_FORGIVES,
        maxDelay,
      });
      count(pairs, pair, {
        allowance: accountGuesses,
        forgives: ACCOUNT_FORGIVES,
        maxDelay: longest,
      });
    },
    succeeded({ network, userName }) {
      if (network === undefined) return;
      // The network's score stays: whoever has one account of their own could wipe it at will.
      const pair = `${network} ${userName}`;
      pairs.delete(pair);
      familiar.set(pair, true);
    },
  };
}
