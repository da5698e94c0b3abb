/**
 * Commits a second of EmbeddedStore beside a bare writer that puts the same octets into a file with one fdatasync for all
 * that waits: in alternating rounds, of which the median counts, for the machine may be busy with something else. Then what
 * a large upload and password hashes do to the commits of others. Run alone:
 *
 *     node --conditions=@mail-server-kit/source --import tsx bench/storage.ts [directory]
 *
 * BENCH_SECONDS is the length of a round (default 1), BENCH_ROUNDS how many there are (default 5).
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { AccountId, Facts, MailStore, MailboxId } from '@mail-server-kit/core';
import { openEmbeddedStore } from '@mail-server-kit/storage';
import { hash } from '@node-rs/argon2';

const OCTETS = 20_480;
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 1);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const MIB = 1_048_576;

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

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

const medians = (rounds: readonly Measured[]): Measured => ({
  perSecond: median(rounds.map(({ perSecond }) => perSecond)),
  p50: median(rounds.map(({ p50 }) => p50)),
  p99: median(rounds.map(({ p99 }) => p99)),
  cpu: median(rounds.map(({ cpu }) => cpu)),
});

/** What a commit of ours puts into the journal: header, body, and a record and a change of so many octets. */
const HEAD = 32;
const REST = 849;

interface BareWriter {
  commit(): Promise<void>;
  close(): void;
}

/**
 * Synchronous calls in this thread, and nothing but a checksum: the fastest of all ways on one disk, and useless for a
 * server. 'in place': over and over into one file that is there with all its blocks, so it keeps nothing. 'growing': new
 * octets behind the old ones, as whoever keeps mail has to.
 */
function bareWriter(file: string, way: 'in place' | 'growing'): BareWriter {
  const fd = fs.openSync(file, 'w');
  const size = 64 * MIB;
  if (way === 'in place') {
    for (let at = 0; at < size; at += MIB) fs.writeSync(fd, Buffer.alloc(MIB), 0, MIB, at);
    fs.fdatasyncSync(fd);
  }
  const body = Buffer.alloc(OCTETS, 'b');
  const rest = Buffer.alloc(REST, 'r');
  const octets = HEAD + OCTETS + REST;
  let position = 0;
  let waiting: (() => void)[] = [];
  const flush = () => {
    const group = waiting;
    waiting = [];
    const parts = group.flatMap(() => {
      const head = Buffer.alloc(HEAD);
      head.writeUInt32LE(crc32(rest, crc32(body)));
      return [head, body, rest];
    });
    if (position + group.length * octets > (way === 'in place' ? size : 16 * size)) {
      position = 0;
      if (way === 'growing') fs.ftruncateSync(fd, 0);
    }
    fs.writevSync(fd, parts, position);
    fs.fdatasyncSync(fd);
    position += group.length * octets;
    for (const done of group) done();
  };
  const commit = () =>
    new Promise<void>((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(flush);
    });
  return { commit, close: () => fs.closeSync(fd) };
}

/** A commit of a message of so many octets that was staged before. */
async function deliverer(
  store: MailStore,
  name: string,
): Promise<(octets: number) => Promise<void>> {
  const account = name as AccountId;
  const { results } = await store.commit([{ op: 'createAccount', account }]);
  const mailbox = results[0]?.mailbox as MailboxId;
  const body = Buffer.alloc(OCTETS, 'b');
  return async (octets) => {
    function* source() {
      for (let at = 0; at < octets; at += OCTETS) yield body;
    }
    const { stage } = await store.stage(source());
    const content = [{ stage }];
    await store.commit([{ op: 'append', mailbox, content, facts, flags: [], internalDate: 0 }]);
  };
}

const print = (name: string, { perSecond, p50, p99, cpu }: Measured, more = '') =>
  console.log(
    `  ${name.padEnd(14)} ${perSecond.toFixed(0).padStart(6)}/s  p50 ${p50.toFixed(2).padStart(6)}` +
      `  p99 ${p99.toFixed(2).padStart(6)}  cpu ${cpu.toFixed(0).padStart(4)}  ${more}`,
  );

async function besideBareWriters(directory: string, deliver: () => Promise<void>): Promise<void> {
  const bare = {
    'in place': bareWriter(path.join(directory, 'in-place'), 'in place'),
    growing: bareWriter(path.join(directory, 'growing'), 'growing'),
  };
  for (const committers of [1, 8, 32, 128]) {
    const rounds: Record<string, Measured[]> = { ours: [], 'in place': [], growing: [] };
    for (let round = 0; round < ROUNDS; round++) {
      rounds['ours']?.push(await measure(committers, deliver));
      for (const [name, { commit }] of Object.entries(bare)) {
        rounds[name]?.push(await measure(committers, commit));
      }
    }
    console.log(`${committers} committers`);
    for (const [name, each] of Object.entries(rounds)) {
      const share = rounds['ours']?.map(
        ({ perSecond }, round) => (100 * perSecond) / (each[round]?.perSecond ?? NaN),
      );
      const more = name === 'ours' ? '' : `ours is ${median(share ?? []).toFixed(0)} % of it`;
      print(name === 'ours' ? 'ours' : `bare, ${name}`, medians(each), more);
    }
  }
  for (const { close } of Object.values(bare)) close();
}

/** Commits alone and beside something else, in alternating rounds. */
async function beside(
  what: string,
  deliver: () => Promise<void>,
  other: (stopped: () => boolean) => Promise<void>,
): Promise<void> {
  const alone: Measured[] = [];
  const disturbed: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await measure(8, deliver));
    let stop = false;
    const busy = other(() => stop);
    disturbed.push(await measure(8, deliver));
    stop = true;
    await busy;
  }
  console.log(`8 committers beside ${what}`);
  print('alone', medians(alone));
  const factor = medians(disturbed).p99 / medians(alone).p99;
  print('beside it', medians(disturbed), `p99 ${factor.toFixed(1)} times that of alone`);
}

async function run(directory: string): Promise<void> {
  const store = await openEmbeddedStore(path.join(directory, 'store'));
  const deliver = await deliverer(store, 'bench');
  const upload = await deliverer(store, 'large');
  const small = () => deliver(OCTETS);
  await measure(8, small);
  console.log(`commits of ${OCTETS} octets; p50 and p99 in ms, CPU in us a commit, medians`);
  await besideBareWriters(directory, small);
  await beside('uploads of 50 MB', small, async (stopped) => {
    while (!stopped()) await upload(50 * MIB);
  });
  await beside('four password hashes in flight', small, async (stopped) => {
    const hashes = Array.from({ length: 4 }, async () => {
      while (!stopped()) await hash('correct horse', { memoryCost: 19_456, timeCost: 2 });
    });
    await Promise.all(hashes);
  });
  await store.close();
}

const directory = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'msk-bench-'));
try {
  await run(directory);
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
