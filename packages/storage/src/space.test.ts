/** What folds and compactions leave is what was there. SPACE_SEED repeats one of the seeded rounds. */
import assert from 'node:assert/strict';
import type { AccountId, Disk, MailboxId, Uid, Write } from '@mail-server-kit/core';
import { fakeClock, fakeDisk, type FakeDisk } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { alice, all, bob, fails, message, octets, only, range, uidsOf } from './contract/given.ts';
import type { JournalStore } from './embedded/engine.ts';
import { openOn } from './fixtures/disk-store.ts';
import { bodyOf, seeded } from './fixtures/kill-ops.ts';
import { dump } from './fixtures/world.ts';

const firstSeed = Number(process.env['SPACE_SEED'] ?? 1);
const seeds = process.env['SPACE_SEED'] ? 1 : 12;

type Clock = ReturnType<typeof fakeClock>;

const open = (disk: Disk, clock: Clock, more = {}): Promise<JournalStore> =>
  openOn(disk as FakeDisk, { clock, undeleteMs: 600_000, changesMs: 0, ...more });

/** Long enough for everything that was expunged to be removed. */
const LONG = 2_000_000;

class Random {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = seeded(seed);
  }
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

async function begin(store: JournalStore): Promise<void> {
  await store.commit([
    { op: 'createAccount', account: alice },
    { op: 'createAccount', account: bob },
    { op: 'createMailbox', account: alice, name: 'Work' },
  ]);
}

let count = 0;

async function randomWrites(store: JournalStore, random: Random): Promise<Write[]> {
  const boxes: { id: MailboxId; name: string; uids: number[] }[] = [];
  for (const account of [alice, bob]) {
    for (const { id, name } of await store.mailboxes(account)) {
      boxes.push({ id, name, uids: uidsOf(await store.open(id)) });
    }
  }
  const box = random.pick(boxes);
  const other = random.pick(boxes);
  const uid = box.uids.length > 0 ? random.pick(box.uids) : 1;
  const some = range(uid, uid + random.below(8));
  const id = box.id;
  switch (random.below(16)) {
    case 0:
      return [{ op: 'expunge', mailbox: id, uids: some }];
    case 1:
      return [{ op: 'store', mailbox: id, uids: some, add: [random.pick(['\\Seen', 'k1', 'k2'])] }];
    case 2:
      return [{ op: 'copy', mailbox: id, uids: only(uid), to: other.id }];
    case 3:
      return [{ op: 'move', mailbox: id, uids: some, to: other.id }];
    case 4: {
      const account = random.pick([alice, bob]);
      const key = `k${random.below(5)}`;
      const value = octets(`value ${count++}`);
      const content = random.next() < 0.3 ? [octets('content '.repeat(50))] : undefined;
      const record = { space: 'scripts', key, value, account, ...(content ? { content } : {}) };
      return [{ op: 'putRecord', ...record }];
    }
    case 5:
      return [{ op: 'deleteRecord', space: 'scripts', key: `k${random.below(5)}` }];
    case 6:
      return [{ op: 'createMailbox', account: random.pick([alice, bob]), name: `n${count++}` }];
    case 7:
      return box.name === 'INBOX' ? [] : [{ op: 'deleteMailbox', mailbox: id }];
    case 8:
      return [{ op: 'renameMailbox', mailbox: id, name: `r${count++}` }];
    case 9: {
      const [info] = (await store.expunged?.(alice)) ?? [];
      if (!info) return [];
      const to = other.name === 'x' ? id : other.id;
      return [{ op: 'undelete', mailbox: info.id, uids: all, to }];
    }
    case 10: {
      const { stage } = await store.stage([
        bodyOf(`large ${count++}`, 70_000 + random.below(60_000)),
      ]);
      return [{ op: 'append', mailbox: id, ...message([{ stage }]) }];
    }
    case 11: {
      const account = `gone${count++}` as AccountId;
      await store.commit([{ op: 'createAccount', account }]);
      return [{ op: 'destroyAccount', account }];
    }
    default: {
      const body = bodyOf(`small ${count++}`, 200 + random.below(6000));
      const mail = message([body], { flags: random.pick([[], ['\\Seen'], ['k3']]) });
      // To several at once: one body.
      return [id, other.id].map((mailbox) => ({ op: 'append', mailbox, ...mail }));
    }
  }
}

async function step(store: JournalStore, random: Random): Promise<void> {
  const writes = await randomWrites(store, random);
  if (writes.length > 0)
    await store.commit(writes, random.next() < 0.1 ? { id: `id${count}` } : {});
}

const namesOf = (disk: Disk, ending: string) => disk.list().filter((name) => name.endsWith(ending));

describe('a journal that is folded and compacted', () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    it(`holds the same, whenever it is looked at (SPACE_SEED=${seed})`, async () => {
      const random = new Random(seed);
      const clock = fakeClock();
      const disk = fakeDisk({ seed });
      let store = await open(disk, clock);
      await begin(store);
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 40; i++) await step(store, random);
        if (random.next() < 0.7) await clock.advance(LONG);
        if (random.next() < 0.7) await store.compact(random.pick([0.5, 0.9, 2]));
        const expected = await dump(store);
        if (random.next() < 0.3) {
          for (const name of namesOf(disk, '.list')) if (random.next() < 0.5) disk.remove(name);
        }
        await store.close();
        if (random.next() < 0.5) disk.crash();
        store = await open(disk, clock);
        assert.deepEqual(await dump(store), expected, `after round ${round}`);
      }
      await store.close();
    });
  }
});

describe('space', () => {
  /** Mail, most of it expunged and past its time. */
  async function mostlyDead(disk: Disk, clock: Clock, mails = 100): Promise<JournalStore> {
    // Nothing is freed before it is asked for.
    const store = await open(disk, clock, { compactBelow: 0 });
    await begin(store);
    const [inbox] = await store.mailboxes(alice);
    const mailbox = inbox?.id as MailboxId;
    for (let i = 1; i <= mails; i++) {
      const text = bodyOf(`mail ${i}`, 5000);
      await store.commit([{ op: 'append', mailbox, ...message([text]) }]);
      if (i % 10 > 0) await store.commit([{ op: 'expunge', mailbox, uids: only(i) }]);
    }
    await clock.advance(LONG);
    return store;
  }

  const used = (disk: FakeDisk) =>
    namesOf(disk, '.journal').reduce((sum, name) => {
      const file = disk.open(name, 'read');
      const size = file.size();
      file.close();
      return sum + size;
    }, 0);

  it('of what was expunged is freed, and what is left can be read', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    const store = await mostlyDead(disk, clock);
    const expected = await dump(store);
    const before = used(disk);
    const stats = await store.compact(0.5);
    assert.ok(stats.compacted >= 7, JSON.stringify(stats));
    // A tenth is left, and the segments that are being written.
    assert.ok(used(disk) < before * 0.45, `${used(disk)} of ${before}`);
    assert.deepEqual(await dump(store), expected);
    await store.close();
    const again = await open(disk, clock);
    assert.deepEqual(await dump(again), expected);
    assert.equal((await again.compact(0.5)).compacted, stats.compacted);
    await again.close();
  });

  it('is freed in steps of which none loses anything in a crash', async () => {
    let steps = 0;
    for (let survived = false; !survived; steps++) {
      const clock = fakeClock();
      const disk = fakeDisk({ seed: steps + 1 });
      let left = Infinity;
      const happens = () => {
        if (left-- === 0) throw Object.assign(new Error('EIO: power fails'), { code: 'EIO' });
      };
      const failing: Disk = {
        list: () => disk.list(),
        open(name, mode) {
          const file = disk.open(name, mode);
          if (!name.includes('.new')) return file;
          return {
            ...file,
            write(parts, position) {
              happens();
              file.write(parts, position);
            },
            sync() {
              happens();
              file.sync();
            },
          };
        },
        remove(name) {
          happens();
          disk.remove(name);
        },
        rename(from, to) {
          happens();
          disk.rename(from, to);
        },
        syncDirectory() {
          happens();
          disk.syncDirectory();
        },
      };
      const store = await mostlyDead(failing, clock, 30);
      const expected = await dump(store);
      await store.compact(0);
      left = steps;
      await store.compact(0.5);
      survived = left >= 0;
      disk.crash();
      left = Infinity;
      await store.close().catch(() => {});
      const again = await open(disk, clock);
      assert.deepEqual(await dump(again), expected, `crash at step ${steps}`);
      await again.compact();
      assert.deepEqual(await dump(again), expected);
      await again.close();
    }
    assert.ok(steps > 8, `${steps} steps`);
  });

  it('is told of by figures', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    const store = await mostlyDead(disk, clock);
    const { segments, octets: all, live, compacted } = await store.compact(0.5);
    assert.deepEqual(store.stats(), { segments, octets: all, live, compacted });
    assert.ok(live < all && live > 10 * 5000);
    assert.ok(segments > compacted && segments < namesOf(disk, '.journal').length);
    await store.close();
  });

  it('keeps the octets of an upload that is under way, and of what a snapshot shows for ten minutes', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    const store = await open(disk, clock);
    await begin(store);
    const [inbox] = await store.mailboxes(alice);
    const mailbox = inbox?.id as MailboxId;
    const text = bodyOf('upload', 200_000);
    const { stage } = await store.stage([text]);
    await store.commit([{ op: 'append', mailbox, ...message([bodyOf('short', 5000)]) }]);
    const snapshot = await store.open(mailbox);
    await store.commit([{ op: 'expunge', mailbox, uids: all }]);
    await clock.advance(590_000);
    for (let i = 0; i < 40; i++) {
      await store.commit([{ op: 'append', mailbox, ...message([bodyOf(`x${i}`, 5000)]) }]);
    }
    await store.compact(2);
    const read = async (source: Parameters<typeof store.read>[0]) => {
      const parts: Uint8Array[] = [];
      for await (const part of store.read(source)) parts.push(part);
      return Buffer.concat(parts);
    };
    assert.ok((await read({ snapshot, uid: 1 as Uid })).equals(bodyOf('short', 5000)));
    await store.commit([{ op: 'append', mailbox, ...message([{ stage }]) }]);
    const now = await store.open(mailbox);
    assert.ok((await read({ snapshot: now, uid: 42 as Uid })).equals(text));
    await clock.advance(LONG);
    // Behind what the clock has set off.
    await store.commit([{ op: 'append', mailbox, ...message() }]);
    await store.compact(2);
    await fails(read({ snapshot, uid: 1 as Uid }), 'EXPUNGED');
    await store.close();
  });

  it('forgets changes whose time is over, and says so', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    const store = await mostlyDead(disk, clock);
    const { cursor } = await store.commit([
      { op: 'putRecord', space: 's', key: 'k', value: octets('x') },
    ]);
    await store.compact(2);
    await store.close();
    const again = await open(disk, clock);
    for (let i = 0; i < 2; i++) {
      const first = again.changes('start')[Symbol.asyncIterator]();
      await fails(first.next(), 'FORGOTTEN');
      await again.commit([{ op: 'putRecord', space: 's', key: 'k', value: octets('y') }]);
      const later = again.changes(cursor)[Symbol.asyncIterator]();
      assert.equal((await later.next()).value?.key, 'k');
      await again.compact(2);
    }
    await again.close();
  });

  it('keeps changes for as long as it was told', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    let store = await mostlyDead(disk, clock);
    await store.close();
    store = await open(disk, clock, { changesMs: 86_400_000 });
    const stats = await store.compact(2);
    assert.ok(stats.compacted > 5);
    const abort = new AbortController();
    let messages = 0;
    for await (const { kind } of store.changes('start', {}, abort.signal)) {
      if (kind === 'messages' && ++messages === 190) abort.abort();
    }
    await store.close();
  });
});

describe('a rebuild', () => {
  it('reads folds and what came after them, and not the history', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    const store = await open(disk, clock);
    await begin(store);
    const [inbox] = await store.mailboxes(alice);
    const mailbox = inbox?.id as MailboxId;
    for (let i = 0; i < 100; i++) {
      const mail = message([bodyOf(`m${i}`, 20_000)]);
      await store.commit(Array.from({ length: 2 }, () => ({ op: 'append', mailbox, ...mail })));
    }
    // Thousands of changes of two hundred messages.
    for (let i = 0; i < 3000; i++) {
      const change = i % 2 ? { add: ['\\Seen'] } : { remove: ['\\Seen'] };
      await store.commit([{ op: 'store', mailbox, uids: only(1 + (i % 200)), ...change }]);
    }
    await store.compact(0);
    const expected = await dump(store);
    await store.close();
    let read = 0;
    const counting: Disk = {
      ...disk,
      list: () => disk.list(),
      open(name, mode) {
        const file = disk.open(name, mode);
        return {
          ...file,
          read(into, position) {
            if (name.endsWith('.journal')) read += into.length;
            return file.read(into, position);
          },
        };
      },
    };
    const again = await open(counting, clock);
    const opened = read;
    assert.deepEqual(await dump(again), expected);
    // What is in the last segment, the newest fold, and some hundred changes.
    const there = namesOf(disk, '.journal').length * 65_536;
    assert.ok(opened < there / 5, `${opened} of ${there}`);
    await again.close();
  });
});
