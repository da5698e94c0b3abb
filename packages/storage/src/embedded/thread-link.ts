/** The journal thread from the main thread's side. */
import { Worker } from 'node:worker_threads';
import type { Log } from '@mail-server-kit/core';
import type { Done, Link } from './link.ts';
import { Queue } from './queue.ts';
import {
  ASLEEP,
  BELL,
  DONE,
  FRAME,
  FULL,
  MAX_FRAME,
  PAD,
  PRODUCED,
  READY,
  RING,
  STATE,
  STOP,
  SYNC,
  WAKE,
  WANT,
  WORDS,
  frameOctets,
} from './ring.js';

export interface ThreadOptions {
  readonly directory: string;
  readonly octets: number;
  readonly store: Uint8Array;
  readonly generation: number;
  readonly ready: number;
}

/** ES2024; Node has had it since version 16. */
interface AsyncAtomics {
  waitAsync(
    words: Int32Array,
    index: number,
    value: number,
  ): { async: true; value: Promise<unknown> } | { async: false; value: string };
}
const { waitAsync } = Atomics as unknown as AsyncAtomics;

interface Frame {
  readonly parts: readonly Uint8Array[];
  /** Of all parts. */
  readonly octets: number;
  readonly segment: number;
  readonly offset: number;
  readonly sync: boolean;
  /** Of the last frame of a write. */
  readonly done: Done | undefined;
}

/** Octets that the thread is told of at once, without waiting for what else this turn of the event loop brings. */
const EARLY = 65_536;

export class ThreadLink implements Link {
  onProgress = (): void => {};
  failed: unknown;
  backlog = 0;
  readonly #control = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  readonly #ring = new Uint8Array(new SharedArrayBuffer(RING));
  readonly #view = new DataView(this.#ring.buffer);
  readonly #worker: Worker;
  readonly #log: Log;
  /** Frames that the ring has no room for yet. */
  readonly #outgoing = new Queue<Frame>();
  /** What is in the ring, with the count of octets at which it ends. */
  readonly #underWay = new Queue<{
    readonly end: number;
    readonly octets: number;
    readonly done: Done | undefined;
  }>();
  #scheduled = false;
  #produced = 0;
  /** As far as the thread was told. */
  #told = 0;
  #done = 0;
  #ended: () => void = () => {};
  /** Resolves once the thread runs; rejects with the reason why it cannot. */
  readonly started: Promise<void>;
  #start: (error?: unknown) => void = () => {};

  /** `code`: what the thread runs. A bundler that takes this file elsewhere may have left it behind. */
  constructor(
    options: ThreadOptions,
    log: Log,
    code = new URL('./journal-thread.js', import.meta.url),
  ) {
    this.#log = log;
    this.started = new Promise((resolve, reject) => {
      this.#start = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    // Who opened the store hears of it; if that has failed for another reason, nobody does.
    this.started.catch(() => {});
    this.#control[READY] = options.ready;
    this.#control[WANT] = options.ready;
    this.#worker = new Worker(code, {
      workerData: { ...options, control: this.#control, ring: this.#ring },
      // Loaders and hooks of the main thread have no business there.
      execArgv: [],
      name: 'journal',
    });
    this.#worker.on('message', ({ event, error }: { event: string; error: unknown }) => {
      if (event === 'started') {
        this.#start();
        // A store without work does not keep the process alive, unless it is being closed already: whoever waits for that
        // would wait in a process that ends.
        if (this.backlog === 0 && Atomics.load(this.#control, STOP) === 0) this.#worker.unref();
        return;
      }
      log({ level: 'error', service: 'storage', event, error });
      if (event === 'journal failed') this.#fail(error);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => {
      if (Atomics.load(this.#control, STATE) !== 2) this.#fail(new Error('journal thread ended'));
      this.#ended();
    });
    void this.#listen();
  }

  get ready(): number {
    return Atomics.load(this.#control, READY);
  }

  get full(): boolean {
    return Atomics.load(this.#control, FULL) === 1;
  }

  want(segment: number): void {
    if (segment > (this.#control[WANT] as number)) Atomics.store(this.#control, WANT, segment);
    Atomics.store(this.#control, FULL, 0);
    this.#wake();
  }

  write(
    parts: readonly Uint8Array[],
    segment: number,
    offset: number,
    sync: boolean,
    done: Done,
  ): void {
    if (this.failed) {
      done(this.failed);
      return;
    }
    let octets = 0;
    for (const part of parts) octets += part.length;
    if (this.#underWay.length + this.#outgoing.length === 0) this.#worker.ref();
    this.backlog += octets;
    if (octets <= MAX_FRAME) this.#add({ parts, octets, segment, offset, sync, done });
    else for (const frame of inFrames(parts, { segment, offset, sync, done })) this.#add(frame);
    if (this.#produced - this.#told >= EARLY) this.#tell();
    if (this.#scheduled || this.#produced === this.#told) return;
    this.#scheduled = true;
    // After all promises that are settled now: what they commit goes into the same group.
    process.nextTick(() => {
      this.#scheduled = false;
      this.#tell();
    });
  }

  #add(frame: Frame): void {
    if (this.#outgoing.length > 0 || !this.#put(frame)) this.#outgoing.push(frame);
  }

  /** Moves frames into the ring as far as there is room. */
  #pump(): void {
    for (let next = this.#outgoing.first; next && this.#put(next); next = this.#outgoing.first) {
      this.#outgoing.shift();
    }
    this.#tell();
  }

  #tell(): void {
    if (this.#told === this.#produced) return;
    this.#told = this.#produced;
    Atomics.store(this.#control, PRODUCED, this.#produced | 0);
    this.#wake();
  }

  #put({ parts, octets, segment, offset, sync, done }: Frame): boolean {
    const needed = frameOctets(octets);
    let at = this.#produced % RING;
    const pad = at + needed > RING ? RING - at : 0;
    if (this.#produced + pad + needed - this.#done > RING) return false;
    if (pad > 0) {
      this.#header(at, pad - FRAME, PAD, 0, 0);
      this.#produced += pad;
      at = 0;
    }
    this.#header(at, octets, sync ? SYNC : 0, segment, offset);
    at += FRAME;
    for (const part of parts) {
      this.#ring.set(part, at);
      at += part.length;
    }
    this.#produced += needed;
    this.#underWay.push({ end: this.#produced, octets, done });
    return true;
  }

  #header(at: number, octets: number, flags: number, segment: number, offset: number): void {
    this.#view.setUint32(at, octets, true);
    this.#view.setUint32(at + 4, flags, true);
    this.#view.setUint32(at + 8, segment, true);
    this.#view.setUint32(at + 12, offset, true);
  }

  #wake(): void {
    Atomics.add(this.#control, WAKE, 1);
    // A call of the system for each commit would cost more than the rest of it.
    if (Atomics.load(this.#control, ASLEEP) === 1) Atomics.notify(this.#control, WAKE);
  }

  async #listen(): Promise<void> {
    while (Atomics.load(this.#control, STATE) === 0) {
      const bell = Atomics.load(this.#control, BELL);
      this.#progress();
      const wait = waitAsync(this.#control, BELL, bell);
      if (wait.async) await wait.value;
    }
    this.#progress();
  }

  #progress(): void {
    // Both counters are kept modulo 2^32 in the shared words.
    this.#done += (Atomics.load(this.#control, DONE) - (this.#done | 0)) >>> 0;
    const finished: Done[] = [];
    const before = this.#underWay.length;
    for (let next = this.#underWay.first; next && next.end <= this.#done;) {
      if (next.done) finished.push(next.done);
      this.backlog -= next.octets;
      this.#underWay.shift();
      next = this.#underWay.first;
    }
    this.#pump();
    if (before > 0 && this.#underWay.length === 0) this.#worker.unref();
    for (const done of finished) done();
    this.onProgress();
  }

  #fail(error: unknown): void {
    if (this.failed) return;
    this.failed = error ?? new Error('journal failed');
    this.#start(this.failed);
    this.#progress();
    this.backlog = 0;
    for (const queue of [this.#underWay, this.#outgoing]) {
      for (let lost = queue.shift(); lost; lost = queue.shift()) lost.done?.(this.failed);
    }
    this.#worker.unref();
    this.onProgress();
  }

  async close(): Promise<void> {
    if (this.failed) {
      await this.#worker.terminate();
      return;
    }
    this.#worker.ref();
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    Atomics.store(this.#control, STOP, 1);
    this.#wake();
    await ended;
    if (this.failed) {
      this.#log({ level: 'error', service: 'storage', event: 'close failed', error: this.failed });
    }
    this.failed ??= new Error('the journal is closed');
  }
}

/** One write as several frames; only the last one asks for the sync and is answered: a part of a record is of no use. */
function* inFrames(
  parts: readonly Uint8Array[],
  { segment, offset, sync, done }: Omit<Frame, 'parts' | 'octets'>,
): Generator<Frame> {
  let at = offset;
  let slices: Uint8Array[] = [];
  let octets = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      if (octets === MAX_FRAME) {
        yield { parts: slices, octets, segment, offset: at, sync: false, done: undefined };
        at += octets;
        slices = [];
        octets = 0;
      }
      const slice = part.subarray(from, from + MAX_FRAME - octets);
      slices.push(slice);
      octets += slice.length;
      from += slice.length;
    }
  }
  yield { parts: slices, octets, segment, offset: at, sync, done };
}
