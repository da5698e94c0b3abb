/** A mirror for real: directories are removed under load, a process is killed, and nothing acknowledged is missing. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { AccountId, MailboxId, Uid } from '@mail-server-kit/core';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { collect, uidsOf } from './contract/given.ts';
import type { StoreEvent } from './embedded/mirror/events.ts';
import { openEmbeddedStore } from './embedded/store.ts';
import { bodyOf } from './fixtures/kill-ops.ts';
import { buildProgram } from './fixtures/program.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-mirror-'));
let program: Awaited<ReturnType<typeof buildProgram>>;
let child: ChildProcess | undefined;

beforeAll(async () => {
  program = await buildProgram('mirror-child');
});
afterEach(() => void child?.kill('SIGKILL'));
afterAll(() => {
  program.remove();
  fs.rmSync(root, { recursive: true, force: true });
});

interface Line {
  readonly done?: string;
  readonly event?: StoreEvent;
  readonly state?: string;
}

/** As an operator would, or a disk that dies. */
async function remove(directory: string): Promise<void> {
  await once(spawn('rm', ['-rf', directory]), 'close');
  // What was being made meanwhile.
  await once(spawn('rm', ['-rf', directory]), 'close');
}

/** The process, what it told, and a way to wait for more. */
function start(a: string, b: string, life: number, acknowledged: Set<string>) {
  const started = spawn(process.execPath, [program.file, a, b, String(life)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  const events: StoreEvent[] = [];
  let wake = (): void => {};
  let over = false;
  let now = '';
  createInterface(started.stdout).on('line', (line) => {
    if (!line.endsWith('}')) return;
    const { done, event, state } = JSON.parse(line) as Line;
    if (state !== undefined) now = state;
    if (done !== undefined) acknowledged.add(done);
    if (event) events.push(event);
    wake();
  });
  const closed = new Promise<void>((resolve) =>
    started.once('close', () => {
      over = true;
      wake();
      resolve();
    }),
  );
  const until = async (what: string, holds: () => boolean) => {
    while (!holds()) {
      assert.ok(!over, `the process ended before ${what}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    until,
    ok: () => until('all is well', () => now === 'ok'),
    event: (kind: StoreEvent['kind'], directory: string) =>
      until(`${kind} ${directory}`, () =>
        events.some(
          (event) => event.kind === kind && 'directory' in event && event.directory === directory,
        ),
      ),
    more: (count: number) => {
      const before = acknowledged.size;
      return until('more mail', () => acknowledged.size >= before + count);
    },
    kill: () => {
      started.kill('SIGKILL');
      return closed;
    },
  };
}

async function verify(directories: string | [string, string], acknowledged: ReadonlySet<string>) {
  const store = await openEmbeddedStore(directories, { segmentOctets: 1_048_576 });
  const [info] = await store.mailboxes('mirror' as AccountId);
  const snapshot = await store.open(info?.id as MailboxId);
  const found = new Map<string, number>();
  for (const uid of uidsOf(snapshot)) {
    const body = await collect(store.read({ snapshot, uid: uid as Uid }));
    const [token = '', size = ''] = body.slice(0, body.indexOf('\r')).split(' ');
    assert.ok(body === bodyOf(token, Number(size)).toString('latin1'), `${token} differs`);
    found.set(token, (found.get(token) ?? 0) + 1);
  }
  for (const token of acknowledged) assert.equal(found.get(token), 1, `${token} is missing`);
  await store.close();
}

describe('a mirror under load', () => {
  it('goes on when one side is removed, fills a new one, and the other opens alone', async () => {
    const [a, b] = [path.join(root, 'a'), path.join(root, 'b')];
    const acknowledged = new Set<string>();
    const run = start(a, b, 1, acknowledged);
    await run.more(300);
    await remove(b);
    await run.event('degraded', b);
    await run.more(300);
    fs.mkdirSync(b);
    await run.event('whole', b);
    await run.more(100);
    await remove(a);
    await run.event('degraded', a);
    await run.more(300);
    await run.kill();
    assert.ok(acknowledged.size >= 1000);
    await verify(b, acknowledged);
  }, 60_000);

  it('is killed again and again, also while a side is filled, and loses nothing', async () => {
    const [a, b] = [path.join(root, 'c'), path.join(root, 'd')];
    const acknowledged = new Set<string>();
    for (let life = 0; life < 6; life++) {
      const run = start(a, b, life, acknowledged);
      await run.more(100);
      if (life % 2 === 1) {
        const side = life === 3 ? a : b;
        await run.ok();
        await remove(side);
        await run.event('degraded', side);
        fs.mkdirSync(side);
        if (life === 5) await run.event('whole', side);
        else await new Promise((resolve) => setTimeout(resolve, 30 * life));
      }
      await run.kill();
    }
    await verify([a, b], acknowledged);
    fs.rmSync(a, { recursive: true });
    await verify(b, acknowledged);
  }, 60_000);
});

it('a mirror that is closed is whole at the next start', async () => {
  const sides = [path.join(root, 'left'), path.join(root, 'right')] as const;
  const alarms: StoreEvent[] = [];
  const onEvent = (event: StoreEvent) => void alarms.push(event);
  for (let i = 0; i < 8; i++) {
    const store = await openEmbeddedStore(sides, { segmentOctets: 65_536, search: false, onEvent });
    await store.commit([{ op: 'createAccount', account: `account${i}` as AccountId }]);
    assert.equal(store.health().state, 'ok');
    await store.close();
  }
  assert.deepEqual(alarms, []);
});
