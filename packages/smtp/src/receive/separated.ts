/**
 * Which recipients have to come alone. SMTP has one answer for a whole message. Where some recipients can have it and
 * others cannot (a mailbox is full, a filter of one recipient rejects), every single answer would be wrong: 250 loses
 * it for some, or makes us bounce to a sender that may be forged; 5xx keeps it from the others. So nothing is delivered,
 * the client is asked to come again (451), and until it is an hour old this memory gives those recipients 452 at RCPT
 * beside others ("too many recipients", RFC 5321 section 4.5.3.1.10: the client sends the rest in a transaction of their
 * own). Then everybody gets a true answer.
 */
import { addressKey, type Address, type Clock } from '@mail-server-kit/core';

export interface Separated {
  add(reversePath: Address | undefined, forwardPath: Address): void;
  has(reversePath: Address | undefined, forwardPath: Address): boolean;
}

const TIME = 3_600_000;
const MAX_PAIRS = 10_000;

export function createSeparated(clock: Clock): Separated {
  const until = new Map<string, number>();
  const key = (reversePath: Address | undefined, forwardPath: Address) =>
    `${reversePath ? addressKey(reversePath) : ''} ${addressKey(forwardPath)}`;
  return {
    add(reversePath, forwardPath) {
      const pair = key(reversePath, forwardPath);
      until.delete(pair);
      until.set(pair, clock.now() + TIME);
      // Oldest first. Whoever is forgotten too early only waits for another round.
      if (until.size > MAX_PAIRS) until.delete(until.keys().next().value as string);
    },
    has(reversePath, forwardPath) {
      return (until.get(key(reversePath, forwardPath)) ?? 0) > clock.now();
    },
  };
}
