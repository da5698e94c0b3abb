/** How the store is set up: small, so that a short story meets all of it. */
import type { SeededRandom } from '@mail-server-kit/core/testing';
import type { MachineOptions } from './machine.ts';

export interface Drawn extends MachineOptions {
  /** Octets of a message that is not staged, at most. */
  readonly largest: number;
}

export function optionsFor(random: SeededRandom): Drawn {
  const hasIndex = random.chance(0.5);
  const sync = random.pick(['always', 'always', 'always', 'never', { everyMs: 500 }] as const);
  return {
    store: {
      segmentOctets: 65_536 * random.pick([1, 1, 2]),
      ...(random.chance(0.5) ? { cacheBytes: random.pick([2000, 100]) } : {}),
      sync,
      compactBelow: random.pick([0, 0.5, 0.9, 1]),
      compactOctetsPerSecond: random.chance(0.5) ? Infinity : 1_000_000,
      // What the power may take, a follower must be able to hear of again.
      ...(sync === 'always' ? { changesMs: random.pick([0, 60_000, 2_000_000]) } : {}),
      ...(random.chance(0.5) ? { undeleteMs: 600_000 } : {}),
      ...(random.chance(0.3) ? { vanishedRanges: random.pick([2, 8]) } : {}),
    },
    encrypted: random.chance(0.35),
    index: hasIndex
      ? {
          checkpointOctets: random.pick([2000, 20_000, 1_000_000]),
          checkpointMs: 60_000,
        }
      : undefined,
    largest: random.pick([300, 3000, 8000]),
  };
}
