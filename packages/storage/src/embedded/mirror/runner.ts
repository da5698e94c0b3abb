/** Runs what reads and writes whole segments: in a thread of its own, or in this one on a simulated disk. */
import { Worker } from 'node:worker_threads';
import type { Disk } from '@mail-server-kit/core';
import { CopyError, jobs, type SettleOptions, type Settled } from './compare.js';
import { ABORT, RUNNING, STOP, WORDS } from './runner-words.js';

export interface Job {
  readonly kind: keyof typeof jobs;
  readonly options: SettleOptions;
  /** Folders of the journal, or disks: whichever the runner needs. */
  readonly folders: readonly string[];
  readonly disks: readonly Disk[];
}

export interface Runner {
  /**
   * One job after the other. `progress`: octets since it was called last.
   * @throws CopyError; TakenBackError
   */
  run(job: Job, progress?: (octets: number) => void): Promise<Settled>;
  /** The job under way, if any, does nothing any more when this returns: files are about to get other names. */
  takeBack(): void;
  close(): Promise<void>;
}

/** Has to be run again, or the store is being closed. */
export class TakenBackError extends Error {
  override readonly name = 'TakenBackError';
}

export class InlineRunner implements Runner {
  #closed = false;
  #takenBack = false;
  #last: Promise<unknown> = Promise.resolve();

  run(job: Job, progress: (octets: number) => void = () => {}): Promise<Settled> {
    const result = this.#last.then(() => this.#run(job, progress));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run({ kind, disks, options }: Job, progress: (octets: number) => void): Promise<Settled> {
    const steps = jobs[kind](disks, options);
    this.#takenBack = false;
    for (;;) {
      if (this.#closed || this.#takenBack) {
        steps.return({ findings: [], end: 0, conflict: undefined });
        throw new TakenBackError();
      }
      const step = steps.next();
      if (step.done) return step.value;
      progress(step.value);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  takeBack(): void {
    this.#takenBack = true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}

/** What the thread answers. */
type Answer =
  | { readonly id: number; readonly octets: number }
  | { readonly id: number; readonly settled: Settled }
  | { readonly id: number; readonly taken: true }
  | { readonly id: number; readonly copy: number | undefined; readonly error: unknown };

interface Asked {
  readonly progress: (octets: number) => void;
  readonly resolve: (settled: Settled) => void;
  readonly reject: (error: unknown) => void;
}

/** A disk that hangs holds up nobody for longer. */
const PATIENCE_MS = 5000;

/** The thread is started when it is needed first. */
export class ThreadRunner implements Runner {
  readonly #octetsPerSecond: number;
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #last = 0;

  constructor(octetsPerSecond: number) {
    this.#octetsPerSecond = octetsPerSecond;
  }

  run(
    { kind, folders, options }: Job,
    progress: (octets: number) => void = () => {},
  ): Promise<Settled> {
    if (Atomics.load(this.#words, STOP) === 1) return Promise.reject(new TakenBackError());
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#last;
    return new Promise<Settled>((resolve, reject) => {
      this.#asked.set(id, { progress, resolve, reject });
      worker.postMessage({ id, kind, folders, options });
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./mirror-thread.js', import.meta.url), {
      workerData: { words: this.#words, octetsPerSecond: this.#octetsPerSecond },
      execArgv: [],
      name: 'mirror',
    });
    // A process that has nothing else to do may end: what is half done is begun anew.
    worker.unref();
    worker.on('message', (answer: Answer) => this.#take(answer));
    worker.on('error', (error) => this.#failAll(error));
    worker.on('exit', () => this.#failAll(new TakenBackError()));
    return worker;
  }

  #take(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    if (!asked) return;
    if ('octets' in answer) {
      asked.progress(answer.octets);
      return;
    }
    this.#asked.delete(answer.id);
    if ('settled' in answer) asked.resolve(answer.settled);
    else if ('taken' in answer) asked.reject(new TakenBackError());
    else if (answer.copy === undefined) asked.reject(answer.error);
    else asked.reject(new CopyError(answer.copy, answer.error));
  }

  #failAll(error: unknown): void {
    this.#worker = undefined;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(error);
  }

  takeBack(): void {
    if (Atomics.load(this.#words, RUNNING) === 0) return;
    Atomics.store(this.#words, ABORT, 1);
    Atomics.notify(this.#words, ABORT);
    Atomics.wait(this.#words, RUNNING, 1, PATIENCE_MS);
  }

  async close(): Promise<void> {
    Atomics.store(this.#words, STOP, 1);
    Atomics.store(this.#words, ABORT, 1);
    Atomics.notify(this.#words, ABORT);
    const worker = this.#worker;
    if (!worker) return;
    let cancel = (): void => {};
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
      const timer = setTimeout(resolve, PATIENCE_MS);
      cancel = () => clearTimeout(timer);
    });
    worker.postMessage(undefined);
    await ended;
    cancel();
    this.#failAll(new TakenBackError());
  }
}
