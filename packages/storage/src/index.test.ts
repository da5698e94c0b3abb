import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { LogEvent, MailStore } from '@mail-server-kit/core';
import { alice, octets } from './contract/given.ts';
import { openEmbeddedStore, type EmbeddedStoreOptions } from './embedded/store.ts';
import { dump, fill } from './fixtures/world.ts';
import { seeded } from './fixtures/kill-ops.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-index-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const pristine = path.join(root, 'pristine');
const seed = Number(process.env['INDEX_SEED'] ?? 20_261_124);
const options: EmbeddedStoreOptions = { segmentOctets: 1_048_576 };

describe('the index', () => {
  let expected: unknown;
  let count = 0;

  beforeAll(async () => {
    const store = await openEmbeddedStore(pristine, options);
    await fill(store);
    expected = await dump(store);
    await store.close();
  });

  function fresh(): string {
    const directory = path.join(root, `copy${count++}`);
    fs.cpSync(pristine, directory, { recursive: true });
    return directory;
  }

  /** Opens, compares everything and returns what was logged. */
  async function isWhole(directory: string): Promise<string[]> {
    const events = await isSame(directory, goesOn);
    fs.rmSync(directory, { recursive: true, force: true });
    return events;
  }

  /** The same, and it is there for another look. */
  async function isSame(
    directory: string,
    andThen: (store: MailStore) => Promise<void> = async () => {},
  ): Promise<string[]> {
    const events: string[] = [];
    const log = ({ event }: LogEvent) => void events.push(event);
    const store = await openEmbeddedStore(directory, { ...options, log });
    try {
      assert.deepEqual(await dump(store), expected);
      await andThen(store);
    } finally {
      await store.close();
    }
    return events;
  }

  /** Counters went on where they were: nothing is given twice, and what is remembered is remembered. */
  async function goesOn(store: MailStore): Promise<void> {
    const { results } = await store.commit([
      { op: 'createMailbox', account: alice, name: 'Dropped' },
      { op: 'putRecord', space: 'scripts', key: 'c', value: octets('again') },
    ]);
    const dropped = (await store.mailboxes(alice)).find(({ name }) => name === 'Dropped');
    assert.equal(dropped?.subscribed, true, 'the subscription outlived the mailbox');
    assert.ok((results[0]?.uidValidity ?? 0) > 6);
    assert.equal(results[1]?.version, 2);
    const again = await store.commit([], { id: 'once' });
    assert.equal(again.results[0]?.uid, 601);
  }

  it('is made anew when the process ended while it was read, or again and again soon after a start', async () => {
    const table: [note: string, trusted: boolean][] = [
      [`1 ${Date.now()} 1`, false],
      [`3 ${Date.now()} 0`, false],
      [`2 ${Date.now()} 0`, true],
      [`9 ${Date.now() - 3_600_000} 0`, true],
      ['nonsense', true],
    ];
    for (const [note, trusted] of table) {
      const directory = fresh();
      fs.writeFileSync(path.join(directory, 'index.doubt'), note);
      const events = await isSame(directory);
      assert.equal(events.includes('index is not trusted'), !trusted, note);
      assert.ok(!fs.existsSync(path.join(directory, 'index.doubt')), 'closed, it is trusted again');
    }
  });

  it('brings everything back at a start, without a replay', async () => {
    assert.deepEqual(await isWhole(fresh()), []);
  });

  it('is made anew from the journal when it is deleted', async () => {
    const directory = fresh();
    fs.rmSync(path.join(directory, 'index'), { recursive: true });
    assert.deepEqual(await isWhole(directory), []);
  });

  it('takes up what was committed after the last checkpoint', async () => {
    const directory = fresh();
    const index = path.join(directory, 'index');
    fs.cpSync(index, `${index}.old`, { recursive: true });
    const store = await openEmbeddedStore(directory, options);
    await store.commit([{ op: 'putRecord', space: 'later', key: 'x', value: octets('y') }]);
    await store.close();
    fs.rmSync(index, { recursive: true });
    fs.renameSync(`${index}.old`, index);
    const events: string[] = [];
    const again = await openEmbeddedStore(directory, {
      ...options,
      log: ({ event }) => void events.push(event),
    });
    assert.equal((await again.record('later', 'x'))?.version, 1);
    assert.deepEqual(events, []);
    await again.close();
  });

  it('of another store is not taken for ours', async () => {
    const other = path.join(root, 'other');
    const store = await openEmbeddedStore(other, options);
    await store.commit([{ op: 'createAccount', account: alice }]);
    await store.close();
    const directory = fresh();
    fs.rmSync(path.join(directory, 'index'), { recursive: true });
    fs.cpSync(path.join(other, 'index'), path.join(directory, 'index'), { recursive: true });
    assert.deepEqual(await isWhole(directory), ['index is made anew']);
  });

  it('that lacks any one of its values is noticed', async () => {
    const keys: string[] = [];
    const level = new ClassicLevel<string, Uint8Array>(path.join(pristine, 'index'));
    for await (const key of level.keys()) keys.push(key);
    await level.close();
    assert.ok(keys.length > 15);
    for (const key of keys.filter((each) => !/^[bf]\//.test(each))) {
      const directory = fresh();
      const copy = new ClassicLevel<string, Uint8Array>(path.join(directory, 'index'));
      await copy.del(key);
      await copy.close();
      // What the index then is made of is the same each time, and looked at in the other tests.
      const events: string[] = [];
      const log = ({ event }: LogEvent) => void events.push(event);
      await (await openEmbeddedStore(directory, { ...options, log })).close();
      assert.deepEqual(events, ['index is made anew'], `without ${key}`);
      fs.rmSync(directory, { recursive: true });
    }
  }, 120_000);

  it('that lacks a block, or has another in its place, has the mailbox read from the journal', async () => {
    const blocks: [string, Uint8Array][] = [];
    const directory = fresh();
    const level = new ClassicLevel<string, Uint8Array>(path.join(directory, 'index'), {
      valueEncoding: 'view',
    });
    for await (const entry of level.iterator({ gte: 'b/', lt: 'b0' })) blocks.push(entry);
    assert.ok(blocks.length > 3);
    const [[first, value], [second]] = blocks as [(typeof blocks)[0], (typeof blocks)[0]];
    await level.put(second, value);
    const flipped = Uint8Array.from(value);
    flipped[300] = (flipped[300] as number) ^ 16;
    await level.put(first, flipped);
    for (const [key] of blocks.slice(2)) await level.del(key);
    await level.close();
    const events = await isSame(directory);
    const count = (event: string) => events.filter((each) => each === event).length;
    assert.equal(count('index is damaged'), blocks.length);
    assert.equal(count('mailbox is read from the journal'), blocks.length);
    assert.equal(count('index is made anew'), 0);
    assert.deepEqual(await isWhole(directory), [], 'it was written again');
  });

  it('that lacks facts, or has them damaged, has them read from the journal', async () => {
    const directory = fresh();
    const level = new ClassicLevel<string, Uint8Array>(path.join(directory, 'index'), {
      valueEncoding: 'view',
    });
    const facts = await level.iterator({ gte: 'f/', lt: 'f0' }).all();
    assert.ok(facts.length > 5);
    const [[first, value], [second]] = facts as [(typeof facts)[0], (typeof facts)[0]];
    const flipped = Uint8Array.from(value);
    flipped[500] = (flipped[500] as number) ^ 16;
    await level.put(first, flipped);
    await level.del(second);
    await level.close();
    const event = 'facts are read from the journal';
    assert.deepEqual(await isSame(directory), [event, event]);
    assert.deepEqual(await isWhole(directory), [], 'it is known where they are not');
  });

  it(`damaged at any place gives the right data or is made anew (INDEX_SEED=${seed})`, async () => {
    const random = seeded(seed);
    const files = fs.readdirSync(path.join(pristine, 'index'));
    let noticed = 0;
    for (let round = 0; round < 32; round++) {
      const directory = fresh();
      // Every file gets its turn.
      const file = path.join(directory, 'index', files[round % files.length] as string);
      const bytes = fs.readFileSync(file);
      if (bytes.length === 0) continue;
      const at = Math.floor(random() * bytes.length);
      if (random() < 0.3) bytes.fill(0, at, Math.min(at + 4096, bytes.length));
      else bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
      fs.writeFileSync(file, random() < 0.1 ? bytes.subarray(0, at) : bytes);
      noticed += (await isWhole(directory)).length;
    }
    assert.ok(noticed > 5, 'some of it must have been noticed');
  }, 120_000);
});
