/** What a disk may do to the journal. SEED repeats the seeded rounds. */
import assert from 'node:assert/strict';
import { fakeClock, fakeDisk, type FakeDisk } from '@mail-server-kit/core/testing';
import { isMailError, type MailStore, type MailboxId, type Uid } from '@mail-server-kit/core';
import { describe, it } from 'vitest';
import {
  alice,
  all,
  fails,
  flagsOf,
  message,
  octets,
  only,
  readText,
  uidsOf,
} from './contract/given.ts';
import { bodyOf, seeded } from './fixtures/kill-ops.ts';
import { FORMAT } from './embedded/layout.js';
import { openOn } from './fixtures/disk-store.ts';

const firstSeed = Number(process.env['SEED'] ?? 1);
const seeds = process.env['SEED'] ? 1 : 60;

async function begin(disk: FakeDisk): Promise<{ store: MailStore; inbox: MailboxId }> {
  const store = await openOn(disk);
  const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
  return { store, inbox: results[0]?.mailbox as MailboxId };
}

const append = async (store: MailStore, inbox: MailboxId, text: string): Promise<Uid> => {
  const { results } = await store.commit([{ op: 'append', mailbox: inbox, ...message(text) }]);
  return results[0]?.uid as Uid;
};

async function textsOf(store: MailStore, inbox: MailboxId): Promise<string[]> {
  const snapshot = await store.open(inbox);
  const texts: string[] = [];
  for (const uid of uidsOf(snapshot))
    texts.push(await readText(store, { snapshot, uid: uid as Uid }));
  return texts;
}

/** The journal's segment that has records, and where the n-th message's octets lie in it. */
function findOctets(disk: FakeDisk, text: string): { name: string; position: number } {
  for (const name of disk.list()) {
    const file = disk.open(name, 'read');
    const bytes = Buffer.alloc(file.size());
    file.read(bytes, 0);
    file.close();
    const position = bytes.indexOf(text);
    if (position >= 0) return { name, position };
  }
  return assert.fail(`${text} is nowhere`);
}

describe('a disk that loses power', () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    it(`keeps what was acknowledged, at any moment (SEED=${seed})`, async () => {
      const random = seeded(seed);
      const disk = fakeDisk({ seed });
      let { store, inbox } = await begin(disk);
      /** Acknowledged, by uid: the flag and the text. */
      let sure = new Map<number, { readonly flag: boolean; readonly text: string }>();
      let highest = 0;
      for (let round = 0; round < 5; round++) {
        const attempts: Promise<unknown>[] = [];
        const sent = new Set<string>();
        const touched = new Set<number>();
        const steps = 1 + Math.floor(random() * 12);
        for (let i = 0; i < steps; i++) {
          attempts.push(step(i));
          if (random() < 0.4) await new Promise(setImmediate);
        }
        disk.crash();
        await Promise.allSettled(attempts);
        store = await openOn(disk);
        await verify(sent, touched);

        async function step(i: number): Promise<void> {
          const roll = random();
          const uid = [...sure.keys()][Math.floor(random() * sure.size)];
          if (roll < 0.6 || uid === undefined || touched.has(uid)) {
            const size = 40 + Math.floor(random() * (random() < 0.2 ? 90_000 : 3000));
            const text = bodyOf(`s${seed}-${round}-${i}`, size).toString('latin1');
            sent.add(text);
            const { stage } = await store.stage([Buffer.from(text, 'latin1')]);
            const mail = message([{ stage }]);
            const { results } = await store.commit([{ op: 'append', mailbox: inbox, ...mail }]);
            sure.set(results[0]?.uid as number, { flag: false, text });
            return;
          }
          touched.add(uid);
          const { flag, text } = sure.get(uid) as { flag: boolean; text: string };
          if (roll < 0.8) {
            const change = flag ? { remove: ['\\Seen'] } : { add: ['\\Seen'] };
            await store.commit([{ op: 'store', mailbox: inbox, uids: only(uid), ...change }]);
            sure.set(uid, { flag: !flag, text });
          } else {
            await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(uid) }]);
            sure.delete(uid);
          }
          touched.delete(uid);
        }
      }
      await store.close();
      // A store that was closed properly opens after a crash as it was.
      disk.crash();
      store = await openOn(disk);
      assert.deepEqual(
        uidsOf(await store.open(inbox)),
        [...sure.keys()].sort((a, b) => a - b),
      );
      await store.close();

      async function verify(
        sent: ReadonlySet<string>,
        touched: ReadonlySet<number>,
      ): Promise<void> {
        const snapshot = await store.open(inbox);
        const found = new Map<number, { readonly flag: boolean; readonly text: string }>();
        for (const [i, uid] of uidsOf(snapshot).entries()) {
          const text = await readText(store, { snapshot, uid: uid as Uid });
          found.set(uid, { text, flag: flagsOf(snapshot)[i]?.length === 1 });
        }
        for (const [uid, { flag, text }] of sure) {
          const now = found.get(uid);
          // What was not answered may have happened, but wholly.
          if (touched.has(uid) && (!now || now.text === text)) continue;
          assert.ok(now?.text === text, `message ${uid} is gone or differs`);
          assert.equal(now.flag, flag);
        }
        for (const [uid, { text }] of found) {
          assert.ok(sure.has(uid) || sent.has(text), `message ${uid} was never sent`);
        }
        assert.ok(snapshot.uidNext > Math.max(0, ...sure.keys()));
        assert.ok(snapshot.highestModSeq >= highest, 'highestModSeq went back');
        highest = snapshot.highestModSeq;
        sure = found;
      }
    });
  }
});

describe('a torn end', () => {
  it('is cleared: what lay behind it does not come back when the gap is filled', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    await append(store, inbox, 'before');
    // One group: nobody was told of either, as far as the journal can know.
    await Promise.all([append(store, inbox, 'lost 1'), append(store, inbox, 'lost 2')]);
    disk.crash();
    const { name, position } = findOctets(disk, 'lost 1');
    disk.flip(name, position);
    const again = await openOn(disk);
    assert.deepEqual(await textsOf(again, inbox), ['before']);
    // Of the same length, so that a record would follow at once.
    await append(again, inbox, 'filled');
    disk.crash();
    const third = await openOn(disk);
    assert.deepEqual(await textsOf(third, inbox), ['before', 'filled']);
    await third.close();
  });
});

describe('a sync that fails', () => {
  it('is never tried again: what waits is UNKNOWN, then the store can only be read', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    await append(store, inbox, 'before');
    disk.fail('sync', 'EIO');
    await fails(append(store, inbox, 'lost?'), 'UNKNOWN');
    await fails(append(store, inbox, 'refused'), 'UNAVAILABLE');
    assert.deepEqual(await textsOf(store, inbox), ['before']);
    await store.close();
    disk.crash();
    const again = await openOn(disk);
    const texts = await textsOf(again, inbox);
    assert.ok(texts.length === 1 || texts[1] === 'lost?');
    const uid = await append(again, inbox, 'after');
    assert.equal(uid, texts.length + 1);
    await again.close();
  });

  it('leaves a commit with an id that can be asked for again', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    disk.fail('sync', 'EIO');
    const writes = [{ op: 'append' as const, mailbox: inbox, ...message('once') }];
    await fails(store.commit(writes, { id: 'x' }), 'UNKNOWN');
    await store.close();
    disk.crash();
    const again = await openOn(disk);
    await again.commit(writes, { id: 'x' });
    assert.deepEqual(await textsOf(again, inbox), ['once']);
    await again.close();
  });
});

describe('a full disk', () => {
  it('refuses mail with FULL, still deletes, and takes mail again when there is room', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    await new Promise(setImmediate);
    disk.capacity = disk.used;
    const text = 'x'.repeat(5000);
    let taken = 0;
    const refused = await (async () => {
      for (;;) {
        try {
          await append(store, inbox, text);
          taken++;
        } catch (error) {
          return error;
        }
      }
    })();
    assert.ok(isMailError(refused, 'FULL'));
    assert.ok(taken > 5);
    // More than what was left of the last segment: the reserve is for this.
    for (let uid = 1; uid < taken; uid++) {
      await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(uid) }]);
    }
    await store.commit([{ op: 'createMailbox', account: alice, name: 'small' }]).catch(() => {});
    assert.deepEqual(uidsOf(await store.open(inbox)), [taken]);
    disk.capacity = Infinity;
    await append(store, inbox, text).catch(() => {});
    await new Promise(setImmediate);
    assert.equal((await append(store, inbox, 'again')) > taken, true);
    await store.close();
    const again = await openOn(disk);
    assert.equal((await textsOf(again, inbox)).at(-1), 'again');
    await again.close();
  });

  it('refuses a large body while it arrives', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    await append(store, inbox, 'small');
    disk.capacity = disk.used;
    await fails(store.stage([Buffer.alloc(500_000)]), 'FULL');
    assert.deepEqual(await textsOf(store, inbox), ['small']);
    await store.close();
  });

  it('refuses what brings octets before it is full, and says so once', async () => {
    const clock = fakeClock();
    const disk = fakeDisk();
    const events: string[] = [];
    const store = await openOn(disk, { clock }, ({ event }) => void events.push(event));
    const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    await append(store, inbox, 'before');
    await append(store, inbox, 'deleted');
    const { stage } = await store.stage([octets('staged before')]);
    const { results: made } = await store.commit([
      { op: 'createMailbox', account: alice, name: 'Trash' },
    ]);
    disk.capacity = disk.used + 4 * 65_536 - 1;
    await clock.advance(5000);
    await fails(append(store, inbox, 'refused'), 'FULL', undefined);
    await fails(store.commit([{ op: 'append', mailbox: inbox, ...message([{ stage }]) }]), 'FULL');
    await fails(store.stage([octets('refused')]), 'FULL');
    await fails(
      store.commit([{ op: 'putRecord', space: 's', key: 'k', value: octets('x') }]),
      'FULL',
    );
    const trash = made[0]?.mailbox as MailboxId;
    await store.commit([{ op: 'store', mailbox: inbox, uids: all, add: ['\\Seen'] }]);
    await store.commit([{ op: 'move', mailbox: inbox, uids: only(2), to: trash }]);
    await store.commit([{ op: 'expunge', mailbox: trash, uids: all }]);
    await store.commit([{ op: 'deleteMailbox', mailbox: trash }]);
    assert.deepEqual(await textsOf(store, inbox), ['before']);
    disk.capacity = Infinity;
    await clock.advance(5000);
    await store.commit([{ op: 'append', mailbox: inbox, ...message([{ stage }]) }]);
    assert.deepEqual(events, ['disk is nearly full', 'disk has room again']);
    await store.close();
  });
});

describe('rot', () => {
  async function withThree(disk: FakeDisk): Promise<MailboxId> {
    const { store, inbox } = await begin(disk);
    for (const text of ['first message', 'second message', 'third message']) {
      await append(store, inbox, text);
    }
    await store.close();
    return inbox;
  }

  it('in the middle of the journal is refused, with its place', async () => {
    const disk = fakeDisk();
    await withThree(disk);
    const { name, position } = findOctets(disk, 'second message');
    disk.flip(name, position + 3, 4);
    await assert.rejects(openOn(disk), (error: unknown) => {
      assert.ok(isMailError(error, 'CORRUPTION'));
      assert.match(error.message, /^The journal is damaged at segment 1, offset \d+$/);
      const { offset } = error.cause as { offset: number };
      assert.ok(offset < position && position - offset < 1000);
      return true;
    });
  });

  it('in the last record of a store that was closed is refused too', async () => {
    const disk = fakeDisk();
    await withThree(disk);
    const { name, position } = findOctets(disk, 'third message');
    disk.flip(name, position);
    await assert.rejects(openOn(disk), (error: unknown) => isMailError(error, 'CORRUPTION'));
  });

  it('in a message that is being read is CORRUPTION, and the others are read', async () => {
    const disk = fakeDisk();
    const inbox = await withThree(disk);
    const store = await openOn(disk);
    const { name, position } = findOctets(disk, 'second message');
    disk.flip(name, position);
    const snapshot = await store.open(inbox);
    await fails(readText(store, { snapshot, uid: 2 as Uid }), 'CORRUPTION');
    assert.equal(await readText(store, { snapshot, uid: 3 as Uid }), 'third message');
    await store.close();
  });

  it('of a segment header, or a segment that is missing, is refused', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    for (let i = 0; i < 40; i++) await append(store, inbox, 'x'.repeat(5000));
    await store.close();
    const [first = '', second = ''] = disk.list().filter((name) => name.endsWith('.journal'));
    disk.flip(second, 20);
    await assert.rejects(openOn(disk), (error: unknown) => isMailError(error, 'CORRUPTION'));
    disk.flip(second, 20);
    await (await openOn(disk)).close();
    disk.rename(first, 'elsewhere');
    await assert.rejects(openOn(disk), (error: unknown) => isMailError(error, 'CORRUPTION'));
  });
});

describe('the journal', () => {
  it('goes on over many segments and tells its changes from the beginning', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    for (let i = 0; i < 60; i++) await append(store, inbox, `${i} `.repeat(1500));
    await store.close();
    assert.ok(disk.list().length > 4);
    const again = await openOn(disk);
    const abort = new AbortController();
    let count = 0;
    for await (const { kind } of again.changes('start', {}, abort.signal)) {
      if (kind === 'messages' && ++count === 60) abort.abort();
    }
    const last = again.changes('now')[Symbol.asyncIterator]();
    const next = last.next();
    await again.commit([{ op: 'expunge', mailbox: inbox, uids: all }]);
    assert.equal((await next).value?.kind, 'messages');
    await again.close();
  });

  it('stores a body once, however many have it', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    const marker = 'only once in the whole journal';
    const { stage } = await store.stage([octets(marker)]);
    await store.commit(
      Array.from({ length: 20 }, () => ({
        op: 'append' as const,
        mailbox: inbox,
        ...message([{ stage }]),
      })),
    );
    await store.commit([{ op: 'copy', mailbox: inbox, uids: all, to: inbox }]);
    await store.close();
    let found = 0;
    for (const name of disk.list()) {
      const file = disk.open(name, 'read');
      const bytes = Buffer.alloc(file.size());
      file.read(bytes, 0);
      found += bytes.toString('latin1').split(marker).length - 1;
    }
    assert.equal(found, 1);
  });

  it('of a later format is refused and left as it is', async () => {
    const disk = fakeDisk();
    await (await openOn(disk)).close();
    const [name = ''] = disk.list();
    const file = disk.open(name, 'write');
    const header = Buffer.alloc(64);
    file.read(header, 0);
    const { crc32 } = await import('node:zlib');
    header.writeUInt16LE(FORMAT + 1, 8);
    header.writeUInt16LE(FORMAT + 1, 10);
    header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
    file.write([header], 0);
    file.close();
    await assert.rejects(openOn(disk), (error: unknown) => isMailError(error, 'CANNOT'));
  });

  it('takes 64 committers at once in few syncs', async () => {
    const disk = fakeDisk();
    const { store, inbox } = await begin(disk);
    const before = disk.calls.sync;
    await Promise.all(Array.from({ length: 64 }, (_, i) => append(store, inbox, `${i}`)));
    assert.ok(disk.calls.sync - before <= 3, `${disk.calls.sync - before} syncs`);
    await store.close();
  });
});
