/** The search thread: it alone touches the files of the index. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { ascending, uidRanges, type Query, type UidRanges } from '@mail-server-kit/core';
import { searchByReading } from '@mail-server-kit/mime';
import { build } from './build.ts';
import { Calls, moved } from './calls.ts';
import { compile } from './compile.ts';
import { Library } from './library.ts';
import { Messages, type MainHandlers } from './messages.ts';
import { writePosition, type Position } from './position.ts';
import { scanIndex, type Wanted } from './scan-index.ts';

export interface ThreadData {
  readonly directory: string;
  readonly store: Uint8Array;
  readonly cacheOctets: number;
}

/** Which mailbox of which account; `job` names the snapshot that the main thread holds. */
export interface Job extends Wanted {
  readonly job: number;
  readonly account: string;
  readonly key: Uint8Array | undefined;
}

const { directory, store, cacheOctets } = workerData as ThreadData;

const library = new Library(directory, store, cacheOctets, (account, error) => {
  void main.call('log', { level: 'warn', event: 'search index damaged', account, error });
  void main.call('lost', { account });
});

/** Milliseconds of work after which others get their turn. */
const SLICE = 10;

/** Gives others their turn when it has worked for a while. */
function turns(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < SLICE) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    last = performance.now();
  };
}

/** Searches under way; the index is not built meanwhile. */
let searching = 0;
let resume: (() => void)[] = [];

/**
 * Building has time: it rests as long as it has worked, and while anybody searches.
 */
function rests(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    const worked = Math.min(200, performance.now() - last);
    await new Promise<void>((resolve) => setTimeout(resolve, worked));
    while (searching > 0) await new Promise<void>((resolve) => resume.push(resolve));
    last = performance.now();
  };
}

async function search({ query, ...job }: Job & { query: Query }) {
  searching++;
  try {
    const compiled = compile(query);
    const { uids, unread } = await library.with(job.account, job.key, (files) =>
      scanIndex(files, compiled, job, turns()),
    );
    if (unread.length > 0) {
      const messages = new Messages(main, job.job);
      const among = uidRanges(unread);
      const read = await searchByReading(messages, undefined as never, query, among);
      for (const [first, last] of read) for (let uid = first; uid <= last; uid++) uids.push(uid);
    }
    const found = Uint32Array.from(uids).sort();
    const missing = Uint32Array.from(unread);
    return moved({ found, unread: missing }, [found.buffer, missing.buffer]);
  } finally {
    searching--;
    if (searching === 0) for (const each of resume.splice(0)) each();
  }
}

/** `check`: some may be there already. */
async function index({ job, account, key, uids, places, marks, check }: Job & { check: boolean }) {
  const missing = new Map<number, { place: number; mark: number }>();
  /** Marks by places. */
  const known = new Map<number, number>();
  if (check) {
    const turn = turns();
    await library.with(account, key, async (files) => {
      known.clear();
      for (const entry of files.entries()) {
        for (let i = 0; i < entry.documents; i++) {
          known.set(entry.places[i] as number, entry.marks[i] as number);
        }
        await turn();
      }
    });
  }
  for (const [i, uid] of uids.entries()) {
    const [place, mark] = [places[i] as number, marks[i] as number];
    if (known.get(place) === mark) continue;
    known.set(place, mark);
    missing.set(uid, { place, mark });
  }
  known.clear();
  let added = 0;
  await build(
    {
      messages: new Messages(main, job),
      missing,
      turn: rests(),
      write: async (documents) => {
        await library.with(account, key, (files) => files.append(documents));
        added += documents.length;
      },
      unreadable: (uid, error) =>
        void main.call('log', {
          ...{ level: 'warn', event: 'message cannot be indexed', account, uid, error },
        }),
    },
    ascending(missing.keys()) as UidRanges,
  );
  return { added };
}

/** Removes what is not among `places`. */
async function collect({ account, key, places, marks }: Omit<Job, 'job' | 'uids'>) {
  const live = new Map<number, number>();
  for (const [i, place] of places.entries()) live.set(place, marks[i] as number);
  const keeps = (place: number, mark: number) => live.get(place) === mark;
  let removed = 0;
  await library.with(account, key, async (files) => {
    const turn = turns();
    removed = 0;
    const seen = new Set<number>();
    for (const entry of files.entries()) {
      for (let i = 0; i < entry.documents; i++) {
        const place = entry.places[i] as number;
        if (!keeps(place, entry.marks[i] as number) || seen.has(place)) removed++;
        seen.add(place);
      }
      await turn();
    }
    if (removed > 0) await files.rewrite(keeps, turn);
  });
  return { removed };
}

async function totals(keys: { key: Uint8Array | undefined; account: string }[]) {
  const sum = { messages: 0, textOctets: 0, octets: 0 };
  const turn = turns();
  for (const { account, key } of keys) {
    const one = await library.with(account, key, (files) => files.totals());
    sum.messages += one.messages;
    sum.textOctets += one.textOctets;
    sum.octets += one.octets;
    await turn();
  }
  return sum;
}

const handlers = {
  search,
  index,
  collect,
  setPosition: (position: Position) => writePosition(directory, store, position),
  totals,
  accounts: () => [...library.accounts()],
  remove: ({ account }: { account: string }) => library.remove(account),
  removeAll: () => library.removeAll(),
};
export type ThreadHandlers = typeof handlers;

const main = new Calls<MainHandlers>(parentPort as MessagePort, handlers);
