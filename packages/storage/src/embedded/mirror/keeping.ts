/** Looks after the sides while the store is open: notices one that is gone, fills one that is back, heals, scrubs. */
import type { Reason, ScrubReport } from './events.ts';
import { Filling, type FillingOptions } from './filling.ts';
import { Scrubbing, type ScrubbingOptions } from './scrubbing.ts';
import { segmentName } from '../layout.js';
import { TakenBackError } from './runner.ts';
import type { MirroredFile } from './mirrored-file.ts';
import type { Side } from './sides.ts';

export interface KeepingOptions extends FillingOptions, ScrubbingOptions {
  /** Milliseconds between two looks at the directories. */
  readonly watchMs: number;
  /** A side that did not write for so long, in milliseconds, while another did, is left behind. */
  readonly patienceMs: number;
  /** Milliseconds between two scrubs; 0: only when asked for. */
  readonly scrubMs: number;
  /** When the last one ended. */
  readonly scrubbed: MirroredFile;
}

/** How often it is asked whether a scrub is due: a server that is started again every day is scrubbed all the same. */
const DUE_MS = 3_600_000;

/** Octets of a time. */
const TIME = 8;

/** A disk that failed is tried again after this, then after twice as long, up to the last. */
const RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;
/** An empty directory was made by somebody who waits. */
const EMPTY_MS = 10_000;

/** Not worth a wait: what was in the way has gone when the directory is there. */
const AT_ONCE: ReadonlySet<Reason> = new Set(['missing', 'new', 'behind', 'damaged']);

export class Keeping {
  readonly #options: KeepingOptions;
  readonly #scrubbing: Scrubbing;
  /** Of the current segment and the folder, by side: another file under the name means that ours is gone. */
  readonly #inodes = new Map<Side, Map<string, string>>();
  /** When it was tried to fill a side that is still out, and after how long it is tried again. */
  readonly #tried = new Map<Side, { readonly at: number; readonly ms: number }>();
  readonly #suspects = new Set<number>();
  #filling: Promise<void> | undefined;
  #healing: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #cancels: (() => void)[] = [];
  #closed = false;

  constructor(options: KeepingOptions) {
    this.#options = options;
    this.#scrubbing = new Scrubbing(options);
    const { sides, link, watchMs, scrubMs, runner } = options;
    sides.onChange = () => runner.takeBack();
    sides.onSuspect = (segment) => this.#suspect(segment);
    sides.onLost = (side) => this.#inodes.delete(side);
    link.onSegment = () => void this.look();
    if (sides.all.length > 1) this.#repeat(watchMs, () => void this.look());
    if (scrubMs > 0) this.#repeat(Math.min(scrubMs, DUE_MS), () => void this.#scrubIfDue());
  }

  #repeat(ms: number, callback: () => void): void {
    const index = this.#cancels.length;
    const later = () => {
      this.#cancels[index] = this.#options.sides.world.clock.after(ms, () => {
        if (this.#closed) return;
        callback();
        later();
      });
    };
    this.#cancels.push(() => {});
    later();
  }

  /** @throws TakenBackError if the store is closed meanwhile */
  async scrub(): Promise<ScrubReport> {
    const report = await this.#scrubbing.scrub();
    this.#remember(report.ended);
    return report;
  }

  async #scrubIfDue(): Promise<void> {
    const { sides, scrubbed, scrubMs } = this.#options;
    const now = sides.world.clock.now();
    try {
      const before = scrubbed.read();
      // A new store is due when its time has come.
      if (before?.length !== TIME) this.#remember(now);
      else if (now - Buffer.from(before).readDoubleLE(0) >= scrubMs) await this.scrub();
    } catch (error) {
      if (error instanceof TakenBackError) return;
      sides.world.log({ level: 'error', service: 'storage', event: 'scrub failed', error });
    }
  }

  #remember(at: number): void {
    if (this.#closed || this.#options.sides.failed !== undefined) return;
    const bytes = Buffer.alloc(TIME);
    bytes.writeDoubleLE(at, 0);
    this.#options.scrubbed.write(bytes);
  }

  /** Looks at every side once. Resolves when that is done and a side that had to be filled is whole, or out again. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  async #look(): Promise<void> {
    const { sides, link, patienceMs } = this.#options;
    if (this.#closed) return;
    const lagging = link.lagging(patienceMs);
    if (lagging) link.drop(lagging, 'slow', new Error('the disk does not answer'));
    await Promise.all(sides.writers.map((side) => this.#isThere(side)));
    if (this.#closed || sides.failed !== undefined) return;
    this.#filling ??= this.#fillNext()?.finally(() => (this.#filling = undefined));
  }

  /** What was unlinked can still be written to, and is gone all the same. */
  async #isThere(side: Side): Promise<void> {
    const { link, journal } = this.#options;
    const known = this.#inodes.get(side) ?? new Map<string, string>();
    const name = segmentName(journal.durableEnd.segment);
    for (const each of ['', name]) {
      const now = await side.place.inode(each).catch(() => undefined);
      if (side.state === 'out') return;
      if (now === undefined || (known.get(each) ?? now) !== now) {
        const { directory } = side.place;
        link.drop(side, 'vanished', new Error(`${directory} is not there any more`));
        return;
      }
      known.set(each, now);
    }
    this.#inodes.set(side, new Map([...known].filter(([each]) => each === '' || each === name)));
  }

  #fillNext(): Promise<void> | undefined {
    const { sides } = this.#options;
    const now = sides.world.clock.now();
    for (const side of sides.all) {
      if (side.state !== 'out' || sides.whole.length === 0 || !side.place.exists()) continue;
      if (now < this.#due(side)) continue;
      const ms = this.#tried.get(side)?.ms ?? RETRY_MS / 2;
      this.#tried.set(side, { at: now, ms: Math.min(MAX_RETRY_MS, 2 * ms) });
      return this.#fill(side);
    }
    return undefined;
  }

  #due(side: Side): number {
    const { reason, place, since } = side;
    // What is just being removed is not empty: it must not be made again in the middle of that.
    const empty = place.isEmpty();
    const tried = this.#tried.get(side);
    if (tried) return tried.at + (empty ? EMPTY_MS : tried.ms);
    return empty || (reason !== undefined && AT_ONCE.has(reason)) ? 0 : since + RETRY_MS;
  }

  async #fill(side: Side): Promise<void> {
    await new Filling(side, this.#options).run();
    if (side.state === 'whole') this.#tried.delete(side);
  }

  #suspect(segment: number): void {
    this.#suspects.add(segment);
    this.#healing ??= this.#heal().finally(() => (this.#healing = undefined));
  }

  async #heal(): Promise<void> {
    // Whoever reads just now goes first.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const segment of this.#suspects) {
      this.#suspects.delete(segment);
      if (this.#closed) return;
      try {
        await this.#scrubbing.segment(segment);
      } catch (error) {
        if (error instanceof TakenBackError) continue;
        // A side that is gone; whoever writes to it finds that out.
        const { log } = this.#options.sides.world;
        log({
          level: 'error',
          service: 'storage',
          event: 'segment was not healed',
          segment,
          error,
        });
      }
    }
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    await this.#looking;
    await Promise.all([this.#filling, this.#healing]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#cancels) cancel();
    await this.#options.runner.close();
    await this.idle().catch(() => {});
  }
}
