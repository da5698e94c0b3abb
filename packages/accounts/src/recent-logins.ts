/**
 * Outcomes of the last minute, so that a client that opens ten connections, or comes with the same outdated password every
 * few seconds, costs one hash and not ten. What is kept is a MAC with a key of this process over account, protocol, stored
 * hash and password: a changed password makes every entry worthless at once, and no entry serves another account or protocol.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock, Protocol, Random } from '@mail-server-kit/core';
import { BoundedMap } from './bounded-map.ts';

export interface Login {
  /** The user name as it is looked up, whether there is such a user or not. */
  readonly userName: string;
  readonly protocol: Protocol;
  /** The network, for wrong passwords: what one network guessed must not answer another. */
  readonly network: string;
  readonly storedHash: string;
  readonly password: string;
}

export interface RecentLogins {
  /** Undefined: not known. */
  outcome(login: Login): 'right' | 'wrong' | undefined;
  remember(login: Login, outcome: 'right' | 'wrong'): void;
}

const LIFETIME = 60_000;
const ENTRIES = 10_000;

export function createRecentLogins(clock: Clock, random: Random): RecentLogins {
  const key = random.bytes(32);
  const known = {
    right: new BoundedMap<{ mac: Buffer; until: number }>(ENTRIES),
    wrong: new BoundedMap<{ mac: Buffer; until: number }>(ENTRIES),
  };

  function placeOf({ userName, protocol, network }: Login, outcome: 'right' | 'wrong'): string {
    return outcome === 'right' ? `${protocol} ${userName}` : `${protocol} ${network} ${userName}`;
  }

  function macOf(login: Login): Buffer {
    const { userName, protocol, storedHash, password } = login;
    return createHmac('sha256', key)
      .update(JSON.stringify([userName, protocol, storedHash, password]))
      .digest();
  }

  return {
    outcome(login) {
      const mac = macOf(login);
      const now = clock.now();
      for (const outcome of ['right', 'wrong'] as const) {
        const entry = known[outcome].get(placeOf(login, outcome));
        const fresh = entry && entry.until > now && entry.until <= now + LIFETIME;
        if (fresh && timingSafeEqual(entry.mac, mac)) return outcome;
      }
      return undefined;
    },
    remember(login, outcome) {
      const entry = { mac: macOf(login), until: clock.now() + LIFETIME };
      known[outcome].set(placeOf(login, outcome), entry);
    },
  };
}
