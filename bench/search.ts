/**
 * SEARCH of EmbeddedStore with its index, beside reading every message. `npm run bench -- search`, or alone:
 *
 *     node --conditions=@mail-server-kit/source --import tsx bench/search.ts [messages] [directory]
 *
 * Messages are those of ../shared/mail, again and again, each time with other words of the same corpus in it, so that they
 * are as large and as different as real ones. Times are medians of 5, in ms.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { AccountId, MailboxId, MailStore, Query } from '@mail-server-kit/core';
import { factsOf, searchByReading } from '@mail-server-kit/mime';
import { openEmbeddedStore, type EmbeddedStore } from '@mail-server-kit/storage';

const RUNS = 5;
const corpus = new URL('../../shared/mail/', import.meta.url);

type Next = (below: number) => number;

/** A linear congruential generator: the same messages on every machine. */
function sequence(seed: number): Next {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function* messages(count: number): Generator<Buffer> {
  const random = sequence(20261124);
  const real = fs
    .readdirSync(corpus)
    .filter((file) => file.endsWith('.eml'))
    .map((file) => fs.readFileSync(new URL(file, corpus), 'latin1'))
    // The largest would be a third of everything.
    .filter((text) => text.length < 100_000);
  const words = [...new Set(real.flatMap((text) => text.match(/\b[a-z]{4,12}\b/g) ?? []))];
  for (let i = 0; i < count; i++) {
    const text = real[random(real.length)] as string;
    const end = Math.max(0, text.search(/\r?\n\r?\n/));
    // Words of prose only: what is coded stays as it is.
    const body = text
      .slice(end)
      .replace(/(?<= )[a-z]{4,12}(?=[ .,\n])/g, (word) =>
        random(3) === 0 ? (words[random(words.length)] as string) : word,
      );
    const rare = i % 20_000 === 777 ? 'zymurgical\r\n' : '';
    yield Buffer.from(`X-Bench: number ${i}\r\n${text.slice(0, end)}${body}\r\n${rare}`, 'latin1');
  }
}

async function fill(store: MailStore, mailbox: MailboxId, count: number): Promise<number> {
  let octets = 0;
  let pending: Promise<unknown>[] = [];
  for (const message of messages(count)) {
    octets += message.length;
    const facts = await factsOf([message]);
    const { stage } = await store.stage([message]);
    const content = [{ stage }];
    pending.push(
      store.commit([{ op: 'append', mailbox, content, facts, flags: [], internalDate: 0 }]),
    );
    if (pending.length === 256) {
      await Promise.all(pending);
      pending = [];
    }
  }
  await Promise.all(pending);
  return octets;
}

const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1] as number;
const fixed = (value: number, digits = 1) => value.toFixed(digits).padStart(8);

/** Runs `work` with the longest time in ms that the event loop was held meanwhile. */
async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; held: number; result: T }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  const result = await work();
  const ms = performance.now() - start;
  delay.disable();
  return { ms, held: delay.max / 1e6, result };
}

const queries: readonly (readonly [name: string, query: Query])[] = [
  ['TEXT rare word', { text: 'zymurgical', in: 'text' }],
  ['TEXT not found', { text: 'xyzzyplugh', in: 'text' }],
  ['TEXT common word', { text: 'message', in: 'text' }],
  ['BODY the', { text: 'the ', in: 'body' }],
  ['TEXT two letters', { text: 'qz', in: 'text' }],
  ['SUBJECT', { header: 'subject', contains: 'undelivered' }],
  ['HEADER one field', { header: 'x-bench', contains: 'number 4242' }],
  [
    'BODY a NOT TEXT b',
    { all: [{ text: 'zymurg', in: 'body' }, { not: { text: 'html', in: 'text' } }] },
  ],
];

async function measure(store: EmbeddedStore, mailbox: MailboxId): Promise<void> {
  const snapshot = await store.open(mailbox);
  const search = (query: Query) =>
    (store.search as NonNullable<MailStore['search']>)(snapshot, query);
  for (const [name, query] of queries) {
    const times: number[] = [];
    let held = 0;
    let found = 0;
    for (let run = 0; run < RUNS; run++) {
      const one = await timed(() => search(query));
      times.push(one.ms);
      held = Math.max(held, one.held);
      found = one.result.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    }
    console.log(
      `${name.padEnd(20)} first ${fixed(times[0] as number)}  median ${fixed(median(times))}  ` +
        `loop held ${fixed(held)}  found ${found}`,
    );
  }
  const [name, query] = queries[0] as (typeof queries)[0];
  const reading = await timed(() => searchByReading(store, snapshot, query));
  console.log(`${name.padEnd(20)} by reading ${fixed(reading.ms)}`);
}

async function run(directory: string, count: number): Promise<void> {
  let store = await openEmbeddedStore(directory, { search: { delayMs: 1e8 } });
  const account = 'bench' as AccountId;
  const { results } = await store.commit([{ op: 'createAccount', account }]);
  const mailbox = results[0]?.mailbox as MailboxId;
  const octets = await fill(store, mailbox, count);
  console.log(`${count} messages, ${(octets / count).toFixed(0)} octets each`);
  const cpu = process.cpuUsage();
  const index = store.searchIndex as NonNullable<EmbeddedStore['searchIndex']>;
  const built = await timed(() => index.settled());
  const { user, system } = process.cpuUsage(cpu);
  const stats = await index.stats();
  console.log(
    `indexed in ${fixed(built.ms / 1000)} s, ${fixed((count * 1000) / built.ms, 0)}/s, ` +
      `CPU ${fixed((user + system) / count, 0)} us a message, loop held ${fixed(built.held)}`,
  );
  const perText = stats.octets / stats.textOctets;
  console.log(
    `text ${fixed(stats.textOctets / stats.messages, 0)} octets a message, index ` +
      `${fixed(stats.octets / stats.messages, 0)}, ${perText.toFixed(3)} of the text`,
  );
  await store.close();
  store = await openEmbeddedStore(directory);
  await measure(store, mailbox);
  await store.close();
}

const directory = fs.mkdtempSync(path.join(process.argv[3] ?? os.tmpdir(), 'msk-bench-'));
try {
  await run(directory, Number(process.argv[2] ?? 100_000));
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
