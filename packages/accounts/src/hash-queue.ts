/**
 * Password hashing takes tens of milliseconds of a thread of libuv's pool, which files and DNS share. So few run at once, the
 * rest wait in a bounded line, and those who share a line (a network) take turns with the other lines: somebody who has a
 * thousand guesses waiting is one among all others.
 */
import { MailError } from '@mail-server-kit/core';

export interface HashQueueOptions {
  /** Hashes at once. */
  readonly concurrency: number;
  /** Jobs that wait, of all lines together. */
  readonly waiting: number;
}

export interface HashQueue {
  /** @throws MailError THROTTLED if too many wait, UNAVAILABLE after close; what `work` throws */
  run<Value>(line: string, work: () => Promise<Value>): Promise<Value>;
  /** Refuses what waits; resolves once what runs has ended. */
  close(): Promise<void>;
}

interface Job {
  start(): Promise<void>;
  refuse(error: MailError): void;
}

export function createHashQueue({ concurrency, waiting }: HashQueueOptions): HashQueue {
  /** In the order in which their turn comes; none is empty. */
  const lines = new Map<string, Job[]>();
  const running = new Set<Promise<void>>();
  let count = 0;
  let closed = false;

  function next(): void {
    while (running.size < concurrency) {
      const [entry] = lines;
      if (!entry) return;
      const [line, jobs] = entry;
      const job = jobs.shift();
      count--;
      // To the end: every other line comes first.
      lines.delete(line);
      if (jobs.length > 0) lines.set(line, jobs);
      if (!job) continue;
      const run = job.start().finally(() => {
        running.delete(run);
        next();
      });
      running.add(run);
    }
  }

  /** The longest line gives up its newest for a shorter one. @returns whether there is room now */
  function makeRoom(line: string): boolean {
    let longest: Job[] = [];
    for (const jobs of lines.values()) if (jobs.length > longest.length) longest = jobs;
    // One more here must not make this line the longest: then the newcomer is the one to refuse.
    if ((lines.get(line)?.length ?? 0) + 1 >= longest.length) return false;
    longest.pop()?.refuse(busy());
    count--;
    return true;
  }

  return {
    run(line, work) {
      if (closed) return Promise.reject(new MailError('UNAVAILABLE', 'Shutting down'));
      if (count >= waiting && running.size >= concurrency && !makeRoom(line)) {
        return Promise.reject(busy());
      }
      return new Promise((resolve, reject) => {
        const job: Job = { start: () => work().then(resolve, reject), refuse: reject };
        const jobs = lines.get(line);
        if (jobs) jobs.push(job);
        else lines.set(line, [job]);
        count++;
        next();
      });
    },
    async close() {
      closed = true;
      for (const jobs of lines.values()) {
        for (const job of jobs) job.refuse(new MailError('UNAVAILABLE', 'Shutting down'));
      }
      lines.clear();
      count = 0;
      await Promise.all(running);
    },
  };
}

function busy(): MailError {
  return new MailError('THROTTLED', 'Too many logins at once, try again later');
}

/** Two threads of libuv's pool stay free for files and DNS. Read once: libuv does so too. */
export function spareThreads(env: NodeJS.ProcessEnv = process.env): number {
  const size = Number.parseInt(env['UV_THREADPOOL_SIZE'] ?? '', 10);
  return Math.max(1, (size > 0 ? Math.min(size, 1024) : 4) - 2);
}
