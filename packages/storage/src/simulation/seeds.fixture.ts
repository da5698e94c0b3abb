/** Seeds as tests, in several files so that they run beside each other. `npm run simulate` runs any number of them. */
import { describe, it } from 'vitest';
import { simulate } from './simulate.ts';

export function simulateSeeds(from: number, count: number): void {
  describe('the simulation finds no difference', () => {
    for (let seed = from; seed < from + count; seed++) {
      it(`with seed ${seed}`, async () => {
        await simulate(seed);
      });
    }
  });
}
