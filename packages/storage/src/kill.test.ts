/**
 * SIGKILL at seeded random moments. KILL_SEED repeats a run, KILL_ROUNDS makes it longer.
 * What the page cache of the system would lose with the power is tested on the simulated disk.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AccountId, MailStore, MailboxId, WriteResult } from '@mail-server-kit/core';
import { searchByReading } from '@mail-server-kit/mime';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { all, collect, flagsOf, rowsOf, uidsOf } from './contract/given.ts';
import { openEmbeddedStore } from './embedded/store.ts';
import {
  CLIENTS,
  applyTo,
  bodyOf,
  boxName,
  copyOf,
  emptyClient,
  seeded,
  writesOf,
  type BoxModel,
  type Boxes,
  type ClientModel,
  type Intent,
} from './fixtures/kill-ops.ts';

const rounds = Number(process.env['KILL_ROUNDS'] ?? 30);
const seed = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 1e6));
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-kill-'));
/** Beside the packages, where Node finds what the program imports. */
const program = fileURLToPath(new URL(`../node_modules/.kill-${process.pid}`, import.meta.url));

/** The child starts 30 times: bundled once, it need not be translated each time. */
beforeAll(async () => {
  await build({
    entryPoints: {
      'kill-child': fileURLToPath(new URL('./fixtures/kill-child.ts', import.meta.url)),
      'search-thread': fileURLToPath(new URL('./search/thread.ts', import.meta.url)),
    },
    ...{ bundle: true, platform: 'node', format: 'esm', outdir: program },
    ...{ external: ['classic-level'], conditions: ['@mail-server-kit/source'] },
    // CommonJS among what is bundled asks for modules of Node.
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
  });
  // The journal thread is plain JavaScript, found beside whoever starts it.
  const embedded = fileURLToPath(new URL('./embedded', import.meta.url));
  for (const name of fs.readdirSync(embedded).filter((file) => file.endsWith('.js'))) {
    fs.copyFileSync(path.join(embedded, name), path.join(program, name));
  }
  fs.writeFileSync(path.join(program, 'package.json'), '{ "type": "module" }\n');
});

afterAll(() => {
  for (const each of [directory, program]) fs.rmSync(each, { recursive: true, force: true });
});

const options = { segmentOctets: 2_097_152 };
const account = 'kill' as AccountId;

/** What the child told, up to its death. */
type Line =
  | { readonly ready: true }
  | { readonly intent: Intent }
  | { readonly done: number; readonly results: readonly WriteResult[] };

async function runAndKill(round: number, afterMs: number): Promise<Line[]> {
  const child = spawn(
    process.execPath,
    [path.join(program, 'kill-child.js'), directory, String(seed + round)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines: Line[] = [];
  const dead = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for await (const line of createInterface(child.stdout)) {
    // The last line may be torn by the kill.
    if (!line.endsWith('}')) continue;
    lines.push(JSON.parse(line) as Line);
    if (lines.length === 1) setTimeout(() => child.kill('SIGKILL'), afterMs);
  }
  await dead;
  return lines;
}

describe('EmbeddedStore, killed with SIGKILL', () => {
  const models = Array.from({ length: CLIENTS }, emptyClient);
  /** Tokens that must be in INBOX, with the uid where that was acknowledged. */
  const delivered = new Map<string, number | undefined>();
  const highest = new Map<MailboxId, { uidNext: number; modSeq: number; uidValidity: number }>();

  it(
    `keeps everything acknowledged, exactly once, through ${rounds} rounds (KILL_SEED=${seed})`,
    async () => {
      console.log(`KILL_SEED=${seed} KILL_ROUNDS=${rounds}`);
      const boxes = await prepare();
      const random = seeded(seed);
      let acknowledged = 0;
      for (let round = 0; round < rounds; round++) {
        const lines = await runAndKill(round, Math.floor(random() * 250));
        const open = new Map<number, Intent>();
        for (const line of lines) {
          if ('intent' in line) open.set(line.intent.client, line.intent);
          else if ('done' in line) {
            acknowledged++;
            acknowledge(open.get(line.done) as Intent, line.results);
            open.delete(line.done);
          }
        }
        await verify(boxes, open);
        if (round % 10 === 9) await verifySearch(boxes.inbox);
      }
      assert.ok(acknowledged > rounds, `only ${acknowledged} commits were acknowledged`);
    },
    20_000 + rounds * 6_000,
  );

  async function prepare(): Promise<Boxes> {
    const store = await openEmbeddedStore(directory, options);
    const made = await store.commit([{ op: 'createAccount', account }]);
    const inbox = made.results[0]?.mailbox as MailboxId;
    const own: MailboxId[][] = [];
    for (let client = 0; client < CLIENTS; client++) {
      const { results } = await store.commit(
        [0, 1].map(
          (box) => ({ op: 'createMailbox', account, name: boxName(client, box) }) as const,
        ),
      );
      own.push(results.map(({ mailbox }) => mailbox as MailboxId));
    }
    await store.close();
    return { inbox, own };
  }

  function acknowledge({ client, op }: Intent, results: readonly WriteResult[]): void {
    const model = models[client] as ClientModel;
    if (op.kind === 'deliver') {
      assert.equal(results[0]?.uid, model.boxes[0].uidNext);
      delivered.set(op.token, results[1]?.uid);
    }
    applyTo(model, op);
    if (op.kind === 'record') assert.equal(results[0]?.version, model.record?.version);
  }

  async function verify(boxes: Boxes, open: ReadonlyMap<number, Intent>): Promise<void> {
    const store = await openEmbeddedStore(directory, options);
    try {
      for (let client = 0; client < CLIENTS; client++) {
        const intent = open.get(client);
        if (intent?.id !== undefined) {
          // Asked again with the same id, it has happened once, whether the answer was lost or the commit.
          const writes = await writesOf(store, boxes, intent);
          const { results } = await store.commit(writes, { id: intent.id });
          acknowledge(intent, results);
        }
        const unknown = intent && intent.id === undefined ? intent : undefined;
        await verifyClient(store, boxes, client, unknown);
      }
      await verifyInbox(store, boxes.inbox);
      for (const { id, uidNext, highestModSeq, uidValidity } of await store.mailboxes(account)) {
        const before = highest.get(id) ?? { uidNext: 0, modSeq: 0, uidValidity };
        assert.ok(uidNext >= before.uidNext, 'uidNext went back');
        assert.ok(highestModSeq >= before.modSeq, 'highestModSeq went back');
        assert.equal(uidValidity, before.uidValidity);
        highest.set(id, { uidNext, modSeq: highestModSeq, uidValidity });
      }
    } finally {
      await store.close();
    }
  }

  /** The index of the dead processes is used as they left it. */
  async function verifySearch(mailbox: MailboxId): Promise<void> {
    const store = await openEmbeddedStore(directory, options);
    try {
      const snapshot = await store.open(mailbox);
      const query = { text: `-${snapshot.messages % 10}`, in: 'text' } as const;
      const found = await store.search?.(snapshot, query);
      assert.deepEqual(found, await searchByReading(store, snapshot, query));
    } finally {
      await store.close();
    }
  }

  async function verifyClient(
    store: MailStore,
    boxes: Boxes,
    client: number,
    unknown: Intent | undefined,
  ): Promise<void> {
    const own = boxes.own[client] as readonly MailboxId[];
    const actual = await Promise.all(own.map((id) => readBox(store, id)));
    const record = await store.record('kill', `client${client}`);
    const found: ClientModel = {
      boxes: actual as [BoxModel, BoxModel],
      record: record && { value: Buffer.from(record.value).toString(), version: record.version },
    };
    const without = models[client] as ClientModel;
    const candidates = [without];
    if (unknown) {
      const withIt = copyOf(without);
      applyTo(withIt, unknown.op);
      candidates.push(withIt);
    }
    const match = candidates.find((candidate) => isSame(candidate, found));
    // Shows the difference.
    if (!match) assert.deepEqual(found, without);
    models[client] = match as ClientModel;
    if (match !== without && unknown?.op.kind === 'deliver') {
      delivered.set(unknown.op.token, undefined);
    }
  }

  async function readBox(store: MailStore, id: MailboxId): Promise<BoxModel> {
    const snapshot = await store.open(id);
    const uids = uidsOf(snapshot);
    const flags = flagsOf(snapshot);
    const rows = await rowsOf(store, snapshot, all, ['envelope']);
    const messages: BoxModel['messages'] = new Map();
    for (const [i, uid] of uids.entries()) {
      const body = await collect(store.read({ snapshot, uid: rows[i]?.uid ?? snapshot.uidNext }));
      const [token = '', size = ''] = body.slice(0, body.indexOf('\r')).split(' ');
      assert.ok(
        body === bodyOf(token, Number(size)).toString('latin1'),
        `body of ${token} differs`,
      );
      const envelope = Buffer.from(rows[i]?.facts.envelope ?? []).toString();
      assert.equal(envelope, `("${token}")`);
      messages.set(uid, { token, flags: [...(flags[i] ?? [])].sort() });
    }
    return { uidNext: snapshot.uidNext, messages };
  }

  async function verifyInbox(store: MailStore, inbox: MailboxId): Promise<void> {
    const { messages } = await readBox(store, inbox);
    const tokens = [...messages.values()].map(({ token }) => token);
    assert.deepEqual([...tokens].sort(), [...delivered.keys()].sort());
    for (const [token, uid] of delivered) {
      if (uid !== undefined) assert.equal(messages.get(uid)?.token, token);
    }
  }
});

function isSame(a: ClientModel, b: ClientModel): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
