/** The search thread from the main thread's side: it is started when there is something to do, and asks for messages. */
import { Worker } from 'node:worker_threads';
import {
  isMailError,
  type Log,
  type MailStore,
  type MailboxSnapshot,
  type Row,
  type Uid,
} from '@mail-server-kit/core';
import { Calls, moved } from './calls.ts';
import { ALL_OCTETS, FIRST_OCTETS, type MainHandlers, type Octets } from './messages.ts';
import type { ThreadData, ThreadHandlers } from './thread.ts';

/** The thread is TypeScript as we are; without a build, something has to translate it. */
const fromSource = import.meta.url.endsWith('.ts');
const code = new URL(
  fromSource ? '../fixtures/search-thread.js' : './search-thread.js',
  import.meta.url,
);

export interface LinkOptions extends ThreadData {
  readonly store: Uint8Array;
  readonly mail: Pick<MailStore, 'fetch' | 'read'>;
  readonly log: Log;
  readonly onLost: (account: string) => void;
}

/** Messages that are read before others get their turn. */
const TURN = 16;

export class SearchLink {
  readonly #options: LinkOptions;
  readonly #snapshots = new Map<number, MailboxSnapshot>();
  #lastJob = 0;
  #worker: Worker | undefined;
  #calls: Calls<ThreadHandlers> | undefined;
  #closed: Error | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Rejects if the thread cannot start or ends; the next call starts it again. */
  get calls(): Calls<ThreadHandlers> {
    if (this.#closed) throw this.#closed;
    if (this.#calls) return this.#calls;
    const { directory, store, cacheOctets } = this.#options;
    const worker = new Worker(code, {
      workerData: { directory, store, cacheOctets } satisfies ThreadData,
      // Loaders and hooks of the main thread have no business there.
      execArgv: fromSource ? ['--conditions=@mail-server-kit/source'] : [],
      name: 'search',
    });
    const calls = new Calls<ThreadHandlers>(worker, this.#handlers());
    const end = (error: unknown) => {
      if (this.#worker !== worker) return;
      this.#worker = this.#calls = undefined;
      calls.end(error instanceof Error ? error : new Error(String(error)));
    };
    worker.on('error', (error) => {
      this.#log('error', 'search thread failed', { error });
      end(error);
    });
    worker.on('exit', () => end(new Error('the search thread has ended')));
    // Without work it does not keep the process alive.
    calls.onBusy = (busy) => (busy ? worker.ref() : worker.unref());
    worker.unref();
    this.#worker = worker;
    return (this.#calls = calls);
  }

  /** While `work` runs, the thread may ask for messages of `snapshot` by the number of the job. */
  async job<T>(snapshot: MailboxSnapshot, work: (job: number) => Promise<T>): Promise<T> {
    const job = ++this.#lastJob;
    this.#snapshots.set(job, snapshot);
    try {
      return await work(job);
    } finally {
      this.#snapshots.delete(job);
    }
  }

  #handlers(): MainHandlers {
    const { mail, onLost } = this.#options;
    return {
      rows: async ({ job, uids, parts }) => {
        const rows: Row[] = [];
        const snapshot = this.#snapshot(job);
        for await (const some of mail.fetch(snapshot, uids, parts)) rows.push(...some);
        return rows;
      },
      octets: ({ job, uids }) => this.#octets(this.#snapshot(job), uids),
      range: async ({ job, uid, start, end }) => {
        const source = { snapshot: this.#snapshot(job), uid: uid as Uid };
        const octets = await collect(mail.read(source, start, end));
        const copy = new Uint8Array(octets);
        return moved(copy, [copy.buffer]);
      },
      log: ({ level, event, ...more }) => this.#log(level, event, more),
      lost: ({ account }) => onLost(account),
    };
  }

  #snapshot(job: number): MailboxSnapshot {
    const snapshot = this.#snapshots.get(job);
    if (!snapshot) throw new Error('the job is over');
    return snapshot;
  }

  async #octets(snapshot: MailboxSnapshot, uids: Uint32Array): Promise<readonly Octets[]> {
    const read: ({ uid: number; chunks: Buffer } | Octets)[] = [];
    let all = 0;
    for (const [i, uid] of uids.entries()) {
      if (all >= ALL_OCTETS) break;
      if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      try {
        const source = { snapshot, uid: uid as Uid };
        const chunks = await collect(this.#options.mail.read(source, 0, FIRST_OCTETS));
        all += chunks.length;
        read.push({ uid, chunks });
      } catch (error) {
        const failed = error instanceof Error ? error.message : String(error);
        read.push({ uid, failed, code: isMailError(error) ? error.code : undefined });
      }
    }
    // One buffer, which is handed over as it is.
    const buffer = new ArrayBuffer(all);
    let at = 0;
    const octets = read.map((each): Octets => {
      if (!('chunks' in each)) return each;
      const view = new Uint8Array(buffer, at, each.chunks.length);
      view.set(each.chunks);
      at += view.length;
      return { uid: each.uid, octets: view };
    });
    return moved(octets, [buffer]);
  }

  #log(level: 'info' | 'warn' | 'error', event: string, more: object): void {
    if (!this.#closed) this.#options.log({ level, service: 'storage', event, ...more });
  }

  /** Whoever waits gets `error`. */
  async close(error: Error): Promise<void> {
    this.#closed = error;
    this.#calls?.end(error);
    await this.#worker?.terminate();
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
