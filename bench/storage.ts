/**
 * Commits a second of EmbeddedStore beside a bare writer that puts the same bytes into a file filled with zeros, with one
 * fdatasync for all that waits. `npm run bench -- storage`, or alone:
 *
 *     node --conditions=@mail-server-kit/source --import tsx bench/storage.ts [directory]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { AccountId, Facts, MailboxId } from '@mail-server-kit/core';
import { openEmbeddedStore } from '@mail-server-kit/storage';

const OCTETS = 20_480;
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);

const facts: Facts = {
  version: 1,
  envelope: Buffer.alloc(379, 'e'),
  structure: Buffer.alloc(92, 's'),
  ascii: true,
  preview: 'p'.repeat(200),
  sort: { sentDate: 0, subject: 'subject', from: 'from', to: 'to', cc: '' },
  thread: { messageId: 'id@example.org', references: [] },
};

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of all threads of this process for each commit. */
  readonly cpu: number;
}

async function measure(committers: number, commit: () => Promise<unknown>): Promise<Measured> {
  const times: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const cpu = process.cpuUsage();
  await Promise.all(
    Array.from({ length: committers }, async () => {
      for (let now = performance.now(); now < end;) {
        await commit();
        const then = now;
        now = performance.now();
        times.push(now - then);
      }
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  return {
    perSecond: (times.length * 1000) / (performance.now() - start),
    p50: times[times.length >> 1] ?? 0,
    p99: times[Math.floor(times.length * 0.99)] ?? 0,
    cpu: (user + system) / times.length,
  };
}

/** Synchronous calls in this thread: the fastest of all ways on one disk, and useless for a server. */
function bareWriter(file: string): { commit: () => Promise<void>; close: () => void } {
  const fd = fs.openSync(file, 'w');
  const size = 64 * 1_048_576;
  const zeros = Buffer.alloc(1_048_576);
  for (let at = 0; at < size; at += zeros.length) fs.writeSync(fd, zeros, 0, zeros.length, at);
  fs.fdatasyncSync(fd);
  const body = Buffer.alloc(OCTETS, 'b');
  let position = 0;
  let waiting: (() => void)[] = [];
  const flush = () => {
    const group = waiting;
    waiting = [];
    const parts = group.flatMap(() => {
      const head = Buffer.alloc(32);
      head.writeUInt32LE(crc32(body));
      return [head, body];
    });
    if (position + group.length * (OCTETS + 32) > size) position = 0;
    fs.writevSync(fd, parts, position);
    fs.fdatasyncSync(fd);
    position += group.length * (OCTETS + 32);
    for (const done of group) done();
  };
  const commit = () =>
    new Promise<void>((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(flush);
    });
  return { commit, close: () => fs.closeSync(fd) };
}

async function run(directory: string): Promise<void> {
  const bare = bareWriter(path.join(directory, 'bare'));
  const store = await openEmbeddedStore(path.join(directory, 'store'));
  const account = 'bench' as AccountId;
  const { results } = await store.commit([{ op: 'createAccount', account }]);
  const mailbox = results[0]?.mailbox as MailboxId;
  const body = Buffer.alloc(OCTETS, 'b');
  const commit = async () => {
    const { stage } = await store.stage([body]);
    const content = [{ stage }];
    await store.commit([{ op: 'append', mailbox, content, facts, flags: [], internalDate: 0 }]);
  };
  await measure(8, commit);
  console.log(`commits of ${OCTETS} octets; p50 and p99 in ms, CPU in us a commit`);
  const print = (name: string, { perSecond, p50, p99, cpu }: Measured) =>
    `${name} ${perSecond.toFixed(0).padStart(6)}/s  p50 ${p50.toFixed(2)}  p99 ${p99.toFixed(2)}  cpu ${cpu.toFixed(0)}`;
  for (const committers of [1, 8, 32, 128]) {
    const ours = await measure(committers, commit);
    const theirs = await measure(committers, bare.commit);
    const share = `${((100 * ours.perSecond) / theirs.perSecond).toFixed(0)} %`;
    console.log(`${String(committers).padStart(3)} committers  ${print('bare', theirs)}`);
    console.log(`                ${print('ours', ours)}  ${share}`);
  }
  await store.close();
  bare.close();
}

const directory = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'msk-bench-'));
try {
  await run(directory);
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
