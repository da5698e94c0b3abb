/** Rot of what was durable: it is told with its place, or nobody needs it; it is never taken for what was written. */
import { isMailError } from '@mail-server-kit/core';
import type { SeededRandom } from '@mail-server-kit/core/testing';
import { Difference, type Ledger } from './ledger.ts';
import type { Machine } from './machine.ts';
import { linesOfStore, linesOfWorld } from './view.ts';

/** Flips a bit in a copy of the disk of a store that was closed, and looks at all of it. */
export async function flipped(
  machine: Machine,
  ledger: Ledger,
  random: SeededRandom,
  tell: (line: string) => void,
): Promise<void> {
  const copy = machine.copy();
  const names = copy.disk.list();
  if (names.length === 0) return;
  const name = random.pick(names);
  const file = copy.disk.open(name, 'read');
  const octets = Buffer.alloc(file.size());
  file.read(octets, 0);
  file.close();
  // Mostly where something lies.
  const used = octets.findLastIndex((octet) => octet !== 0) + 1;
  const position = random.integer(random.chance(0.9) ? Math.max(1, used) : octets.length);
  copy.disk.flip(name, position, random.integer(8));
  tell(`a copy of ${name} is flipped at ${position}`);
  try {
    const store = await copy.until(copy.open());
    const lines = await copy.until(linesOfStore(store, ledger.durable));
    const expected = linesOfWorld(ledger.durable, copy.clock.now());
    const at = expected.findIndex((line, i) => lines[i] !== line);
    if (at >= 0 || lines.length !== expected.length) {
      throw new Difference(
        `a flip in ${name} at ${position} was not noticed\n  is       ${lines[at]}\n  expected ${expected[at]}`,
      );
    }
    await copy.close();
  } catch (error) {
    if (!isMailError(error, 'CORRUPTION')) throw error;
    const { segment, offset } = (error.cause ?? {}) as { segment?: number; offset?: number };
    tell(`it is told: ${error.message} (segment ${segment}, offset ${offset})`);
    await copy.end(false);
  }
}
