/** Work in the background: in slices of a few milliseconds, no more than so many octets a second, and it can be stopped. */
import type { Clock } from '@mail-server-kit/core';

/** After so long others get their turn. */
const SLICE_MS = 3;

/** The work is not to go on. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export class Pace {
  readonly #clock: Clock;
  #since = performance.now();
  #owed = 0;
  #stopped = false;
  #wake: () => void = () => {};
  /** Infinity: as fast as it can. */
  octetsPerSecond: number;

  constructor(clock: Clock, octetsPerSecond: number) {
    this.#clock = clock;
    this.octetsPerSecond = octetsPerSecond;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** After so many octets were read or written. @throws Stopped */
  async spend(octets: number): Promise<void> {
    if (this.#stopped) throw new Stopped();
    this.#owed += octets / this.octetsPerSecond;
    // Not for each small thing: a timer is worth 50 ms.
    if (this.#owed > 0.05) {
      const ms = this.#owed * 1000;
      this.#owed = 0;
      await this.#sleep(ms);
    } else if (performance.now() - this.#since > SLICE_MS) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    } else return;
    this.#since = performance.now();
    if (this.#stopped) throw new Stopped();
  }

  async #sleep(ms: number): Promise<void> {
    let cancel = () => {};
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      cancel = this.#clock.after(ms, resolve);
    });
    cancel();
  }

  /** What waits goes on at once, with `octetsPerSecond` as it is now. */
  hurry(): void {
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }
}
