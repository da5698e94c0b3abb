/** Two links as one: what is written is done when every side has it. */
import type { Clock } from '@mail-server-kit/core';
import { segmentName } from '../layout.js';
import type { Done, Link } from '../link.ts';
import { Queue } from '../queue.ts';
import type { Reason } from './events.ts';
import { reasonOf, type Side } from './sides.ts';

interface Lane {
  readonly side: Side;
  readonly link: Link;
  /** Number of the first write that is not done here. */
  next: number;
}

interface Waiting {
  readonly done: Done;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface MirrorLinkOptions {
  readonly clock: Clock;
  /** Returns once the others know durably that they go on alone. @throws if there are none */
  readonly lose: (side: Side, reason: Reason, error: unknown) => void;
  readonly onFailed: (error: unknown) => void;
}

export class MirrorLink implements Link {
  onProgress = (): void => {};
  failed: unknown;
  readonly #options: MirrorLinkOptions;
  #lanes: Lane[] = [];
  /** Those that are not done everywhere, the oldest first. */
  readonly #waiting = new Queue<Waiting>();
  /** Number of the first of them. */
  #first = 0;
  #wanted = 0;
  readonly #watchers: { readonly next: number; readonly resolve: () => void }[] = [];
  /** Called when records go to another segment than before. */
  onSegment: () => void = () => {};
  #segment = 0;
  #closing = false;

  constructor(options: MirrorLinkOptions) {
    this.#options = options;
  }

  /** The side gets everything that is written from now on. */
  join(side: Side, link: Link): void {
    const lane: Lane = { side, link, next: this.#first + this.#waiting.length };
    this.#lanes.push(lane);
    link.onProgress = () => this.#progress(lane);
  }

  /** Resolves when all that was written so far is done on every side. */
  settled(): Promise<void> {
    const next = this.#first + this.#waiting.length;
    if (next === this.#first) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.push({ next, resolve }));
  }

  get ready(): number {
    return Math.min(...this.#lanes.map(({ link }) => link.ready));
  }

  /** Only if no side goes on: one that is full is left behind as soon as another has got further. */
  get full(): boolean {
    return this.#lanes.every(({ link }) => link.full);
  }

  get backlog(): number {
    return Math.max(0, ...this.#lanes.map(({ link }) => link.backlog));
  }

  want(segment: number): void {
    this.#wanted = Math.max(this.#wanted, segment);
    for (const { link } of this.#lanes) link.want(segment);
  }

  write(
    parts: readonly Uint8Array[],
    segment: number,
    offset: number,
    sync: boolean,
    done: Done,
  ): void {
    if (this.failed !== undefined) {
      done(this.failed);
      return;
    }
    if (segment !== this.#segment) {
      this.#segment = segment;
      this.onSegment();
    }
    const number = this.#first + this.#waiting.length;
    this.#waiting.push({ done, at: this.#options.clock.now() });
    // A copy of the list: a side may fail at once.
    for (const lane of [...this.#lanes]) {
      lane.link.write(parts, segment, offset, sync, (error) => this.#landed(lane, number, error));
    }
  }

  #landed(lane: Lane, number: number, error: unknown): void {
    if (!this.#lanes.includes(lane)) return;
    if (error !== undefined) {
      this.drop(lane.side, reasonOf(error), error);
      return;
    }
    lane.next = number + 1;
    this.#settle();
  }

  #settle(): void {
    for (;;) {
      const next = Math.min(...this.#lanes.map((lane) => lane.next));
      if (this.#waiting.length === 0 || this.#first >= next) break;
      const { done } = this.#waiting.shift() as Waiting;
      this.#first++;
      done();
    }
    while (this.#watchers[0] && this.#watchers[0].next <= this.#first) {
      this.#watchers.shift()?.resolve();
    }
  }

  #progress(lane: Lane): void {
    // A link that is closed says that it failed; one that fails at a write says so to that.
    if (this.#closing || !this.#lanes.includes(lane)) return;
    if (lane.link.failed !== undefined) {
      this.drop(lane.side, reasonOf(lane.link.failed), lane.link.failed);
      return;
    }
    const furthest = Math.min(this.#wanted, Math.max(...this.#lanes.map(({ link }) => link.ready)));
    for (const { side, link } of [...this.#lanes]) {
      if (!link.full || link.ready >= furthest) continue;
      // Nor is there room in a folder that is gone.
      if (isThere(side, link.ready)) this.drop(side, 'full', new Error('the disk is full'));
      else this.drop(side, 'vanished', new Error(`${side.place.directory} is not there any more`));
    }
    this.onProgress();
  }

  /** Nothing waits for this side any more. */
  drop(side: Side, reason: Reason, error: unknown): void {
    const lane = this.#lanes.find((each) => each.side === side);
    if (!lane) return;
    this.#lanes = this.#lanes.filter((each) => each !== lane);
    // Not waited for: its disk may hang.
    lane.link.close().catch(() => {});
    try {
      this.#options.lose(side, reason, error);
      if (this.#lanes.length === 0) throw error;
    } catch (fatal) {
      this.fail(fatal);
      return;
    }
    this.#settle();
    this.onProgress();
  }

  /** A side that has not done what another did so long ago. */
  lagging(ms: number): Side | undefined {
    const oldest = this.#waiting.first;
    if (!oldest || this.#options.clock.now() - oldest.at < ms) return undefined;
    const behind = this.#lanes.filter(({ next }) => next <= this.#first);
    return behind.length < this.#lanes.length ? behind[0]?.side : undefined;
  }

  /** Nothing is written any more. */
  fail(error: unknown): void {
    if (this.failed !== undefined) return;
    this.failed = error ?? new Error('the mirror failed');
    this.#options.onFailed(this.failed);
    for (let each = this.#waiting.shift(); each; each = this.#waiting.shift())
      each.done(this.failed);
    for (const { resolve } of this.#watchers.splice(0)) resolve();
    this.onProgress();
  }

  async close(): Promise<void> {
    const lanes = this.#lanes;
    this.#closing = true;
    await Promise.all(lanes.map(({ link }) => link.close()));
    this.failed ??= new Error('the journal is closed');
  }
}

function isThere({ place }: Side, segment: number): boolean {
  try {
    return place.journal.list().includes(segmentName(segment));
  } catch {
    return false;
  }
}
