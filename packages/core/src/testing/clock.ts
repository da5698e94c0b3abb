import type { Clock } from '../world.ts';

export interface FakeClock extends Clock {
  /**
   * Goes forward, calling back what falls due on the way at its own time, in order; also what those callbacks ask for, if
   * it falls due too. Between two of them everything that waits for nothing else gets its turn.
   * @throws what a callback throws
   */
  advance(ms: number): Promise<void>;
  /** Jumps, as when an operator sets the clock: `now` changes, nothing becomes due. */
  set(now: number): void;
  /** Callbacks not yet called or cancelled. */
  readonly pending: number;
}

/** Time stands still until somebody moves it. `start`: ms since 1970; default 2026-01-01 00:00 UTC. */
export function fakeClock(start: number = Date.UTC(2026, 0, 1)): FakeClock {
  /** Time that passed, which `set` leaves alone, as timers of the system are left alone. */
  let passed = 0;
  let offset = start;
  let count = 0;
  const timers = new Map<number, { readonly due: number; readonly callback: () => void }>();

  function next(until: number): [id: number, due: number] | undefined {
    let first: [number, number] | undefined;
    for (const [id, { due }] of timers) {
      if (due <= until && (!first || due < first[1])) first = [id, due];
    }
    return first;
  }

  return {
    now: () => passed + offset,
    after(ms, callback) {
      const id = count++;
      timers.set(id, { due: passed + Math.max(0, ms), callback });
      return () => void timers.delete(id);
    },
    async advance(ms) {
      const until = passed + ms;
      await turn();
      for (let first = next(until); first; first = next(until)) {
        const [id, due] = first;
        const { callback } = timers.get(id)!;
        timers.delete(id);
        passed = due;
        callback();
        await turn();
      }
      passed = until;
    },
    set(now) {
      offset = now - passed;
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Lets promises and streams that wait for nothing but each other come to rest. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
