/**
 * A mailbox of a million messages: what a start, SELECT, FETCH FLAGS, STORE and a checkpoint cost, and how much memory its
 * table takes. `MESSAGES` has another number. Alone:
 *
 *     node --expose-gc --conditions=@mail-server-kit/source --import tsx bench/tables.ts [directory]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { AccountId, Facts, MailStore, MailboxId, Uid, UidRanges } from '@mail-server-kit/core';
import { openEmbeddedStore } from '@mail-server-kit/storage';

const MESSAGES = Number(process.env['MESSAGES'] ?? 1_000_000);
const account = 'bench' as AccountId;
const all: UidRanges = [[1 as Uid, 0xffff_ffff as Uid]];

const facts: Facts = {
  version: 1,
  envelope: Buffer.alloc(379, 'e'),
  structure: Buffer.alloc(92, 's'),
  ascii: true,
  preview: 'p'.repeat(200),
  sort: { sentDate: 0, subject: 'subject', from: 'from', to: 'to', cc: '' },
  thread: { messageId: 'id@example.org', references: [] },
};

async function fill(directory: string): Promise<void> {
  const store = await openEmbeddedStore(directory);
  const { results } = await store.commit([{ op: 'createAccount', account }]);
  const mailbox = results[0]?.mailbox as MailboxId;
  const content = [Buffer.from('Subject: one of many\r\n\r\nText.\r\n')];
  await store.commit(
    Array.from({ length: 1000 }, (_, i) => ({
      ...{ op: 'append' as const, mailbox, content, facts, internalDate: i },
      flags: i % 7 ? ['\\Seen'] : [],
    })),
  );
  for (let have = 1000; have < MESSAGES;) {
    const more = Math.min(have, MESSAGES - have);
    await store.commit([{ op: 'copy', mailbox, uids: [[1 as Uid, more as Uid]], to: mailbox }]);
    have += more;
  }
  await store.close();
}

/** Milliseconds, and the longest time for which nobody else had the event loop. */
async function timed<T>(name: string, action: () => Promise<T>): Promise<T> {
  let longest = 0;
  let last = performance.now();
  let running = true;
  const beat = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(beat);
  };
  setImmediate(beat);
  const start = performance.now();
  const cpu = process.cpuUsage();
  const result = await action();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  await new Promise((resolve) => setImmediate(resolve));
  running = false;
  const print = (value: number) => value.toFixed(1).padStart(8);
  console.log(
    `${name.padEnd(44)} ${print(ms)} ms, CPU ${print((user + system) / 1000)} ms, loop held ${print(longest)} ms`,
  );
  return result;
}

async function memory(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    global.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + Math.max(arrayBuffers, external);
}

/** What SELECT looks at: sequence numbers of blocks, and the first that is unseen. */
async function select(store: MailStore): Promise<number> {
  const info = (await store.mailboxes(account)).find(({ name }) => name === 'INBOX');
  const { blocks } = await store.open(info?.id as MailboxId);
  let before = 0;
  for (const block of blocks) {
    if (block.unseen > 0) return before + block.flagsLow.findIndex((flags) => (flags & 8) === 0);
    before += block.length;
  }
  return before;
}

async function look(store: MailStore): Promise<number> {
  const { blocks } = await store.open((await store.mailboxes(account))[0]?.id as MailboxId);
  let seen = 0;
  for (const { flagsLow } of blocks) for (const flags of flagsLow) seen += (flags >> 3) & 1;
  return seen;
}

async function run(directory: string): Promise<void> {
  console.log(`${MESSAGES} messages`);
  await fill(directory);
  const empty = await memory();
  let store = await timed('open', () => openEmbeddedStore(directory, { cacheBytes: 2 ** 30 }));
  await timed('SELECT', () => select(store));
  const opened = await memory();
  await timed('flags of all, from the index', () => look(store));
  await timed('flags of all, from memory', () => look(store));
  const resident = await memory();
  console.log(
    `octets a message: ${((opened - empty) / MESSAGES).toFixed(2)} opened, ` +
      `${((resident - empty) / MESSAGES).toFixed(2)} with the table in memory`,
  );
  const mailbox = (await store.mailboxes(account))[0]?.id as MailboxId;
  const flag = (uids: UidRanges, add: string) =>
    store.commit([{ op: 'store', mailbox, uids, add: [add] }]);
  await timed('STORE of a flag on all, from memory', () => flag(all, '\\Flagged'));
  await timed('STORE of a flag on one', () => flag([[77 as Uid, 77 as Uid]], 'one'));
  await timed('close, with a checkpoint of the whole table', () => store.close());
  store = await openEmbeddedStore(directory);
  await timed('STORE of a flag on all, from the index', () => flag(all, '\\Answered'));
  await store.close();
  store = await timed('open', () => openEmbeddedStore(directory));
  await timed('flags of all, with 64 MiB of cache', () => look(store));
  await store.close();
}

const directory = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'msk-bench-'));
try {
  await run(directory);
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
