/** What the store sees of the one that writes the journal, be it a thread or, on a simulated disk, a function call. */
import type { Log } from '@mail-server-kit/core';
import { JournalWriter } from './journal-writer.js';

/** `error`: it is not known whether the octets reached the disk. */
export type Done = (error?: unknown) => void;

export interface Link {
  /** The last segment that may be written to. */
  readonly ready: number;
  /** The disk had no room for the next segment. */
  readonly full: boolean;
  /** Why nothing can be written any more. */
  readonly failed: unknown;
  /** Octets that are not written yet. */
  readonly backlog: number;
  /** Asks for segments up to this one; also to try again after `full`. */
  want(segment: number): void;
  /**
   * Octets, in parts that are not changed before `done`, at a place that nothing was written to before. `sync`: `done` waits
   * until they are durable, and all that was handed over before; without parts it is that alone. What is done is told in the
   * order in which it was handed over.
   */
  write(
    parts: readonly Uint8Array[],
    segment: number,
    offset: number,
    sync: boolean,
    done: Done,
  ): void;
  /** Called when `ready`, `full`, `failed` or `backlog` may have changed. */
  onProgress: () => void;
  close(): Promise<void>;
}

interface Waiting {
  readonly parts: readonly Uint8Array[];
  readonly segment: number;
  readonly offset: number;
  readonly sync: boolean;
  readonly done: Done;
}

/** Does `work` later; what it returns makes that it does not. */
export type Later = (work: () => void) => () => void;

const nextTurn: Later = (work) => {
  const handle = setImmediate(work);
  return () => clearImmediate(handle);
};

/** Writes in this thread, group by group, at the end of each turn of the event loop or when `later` says. */
export class InlineLink implements Link {
  onProgress = (): void => {};
  failed: unknown;
  backlog = 0;
  #queue: Waiting[] = [];
  #cancel: (() => void) | undefined;

  constructor(
    readonly writer: JournalWriter,
    readonly log: Log,
    readonly later: Later = nextTurn,
  ) {}

  get ready(): number {
    return this.writer.ready;
  }

  get full(): boolean {
    return this.writer.full;
  }

  want(segment: number): void {
    this.writer.want = Math.max(this.writer.want, segment);
    this.writer.full = false;
    this.#schedule();
  }

  write(
    parts: readonly Uint8Array[],
    segment: number,
    offset: number,
    sync: boolean,
    done: Done,
  ): void {
    this.#queue.push({ parts, segment, offset, sync, done });
    for (const part of parts) this.backlog += part.length;
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel ??= this.later(() => {
      this.#cancel = undefined;
      this.#group();
      this.onProgress();
    });
  }

  #group(): void {
    const group = this.#queue.splice(0);
    this.backlog = 0;
    try {
      if (this.failed) throw this.failed;
      for (const { parts, segment, offset } of group) {
        if (parts.length > 0) this.writer.write(parts, segment, offset);
      }
      if (group.some(({ sync }) => sync)) this.writer.sync();
    } catch (error) {
      this.failed = error;
    }
    for (const { done } of group) done(this.failed);
    while (!this.failed && this.writer.preparing) {
      const error = this.writer.prepare();
      if (error)
        this.log({ level: 'error', service: 'storage', event: 'no room for a segment', error });
    }
  }

  async close(): Promise<void> {
    this.#cancel?.();
    this.#group();
    this.failed ??= new Error('the journal is closed');
    this.writer.close();
  }
}
