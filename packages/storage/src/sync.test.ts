/** What the option `sync` promises, on a disk whose power goes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent, type MailStore, type MailboxId, type Uid } from '@mail-server-kit/core';
import { fakeClock, fakeDisk, type FakeDisk } from '@mail-server-kit/core/testing';
import { afterEach, describe, it } from 'vitest';
import { alice, fails, message, readText, uidsOf } from './contract/given.ts';
import { openJournalStore, type JournalStore } from './embedded/engine.ts';
import { Index } from './embedded/index-store.ts';
import { JournalWriter } from './embedded/journal-writer.js';
import { InlineLink } from './embedded/link.ts';
import { withDefaults, openEmbeddedStore, type EmbeddedStoreOptions } from './embedded/store.ts';
import { openOn } from './fixtures/disk-store.ts';
import { seeded } from './fixtures/kill-ops.ts';

async function begin(store: MailStore): Promise<MailboxId> {
  const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
  return results[0]?.mailbox as MailboxId;
}

const append = (store: MailStore, mailbox: MailboxId, text: string) =>
  store.commit([{ op: 'append', mailbox, ...message(text) }]);

async function textsOf(store: MailStore, inbox: MailboxId): Promise<string[]> {
  const snapshot = await store.open(inbox);
  const texts: string[] = [];
  for (const uid of uidsOf(snapshot))
    texts.push(await readText(store, { snapshot, uid: uid as Uid }));
  return texts;
}

describe('a store that is not synced for each commit', () => {
  for (let seed = 1; seed <= 20; seed++) {
    it(`is after a power cut as it was at some moment, and goes on (seed ${seed})`, async () => {
      const random = seeded(seed);
      const disk = fakeDisk({ seed });
      const options: EmbeddedStoreOptions = { sync: 'never' };
      let store = await openOn(disk, options);
      const inbox = await begin(store);
      await store.close();
      let sure: string[] = [];
      for (let round = 0; round < 5; round++) {
        store = await openOn(disk, options);
        const texts = [...sure];
        for (let i = 0; i < 8; i++) {
          texts.push(`${seed}.${round}.${i} ${'x'.repeat(random() * (i === 3 ? 40_000 : 2000))}`);
          await append(store, inbox, texts.at(-1) as string);
        }
        assert.deepEqual(await textsOf(store, inbox), texts);
        const close = random() < 0.3;
        if (close) await store.close();
        disk.crash();
        const again = await openOn(disk, options);
        const found = await textsOf(again, inbox);
        assert.deepEqual(found, texts.slice(0, found.length));
        assert.ok(found.length >= (close ? texts : sure).length, 'what was on disk is gone');
        // Now it is.
        await again.close();
        sure = found;
      }
    });
  }

  it('syncs what came once `everyMs` are over, and not before', async () => {
    const disk = fakeDisk();
    const clock = fakeClock();
    const store = await openOn(disk, { sync: { everyMs: 500 }, clock });
    const inbox = await begin(store);
    await clock.advance(500);
    await append(store, inbox, 'first');
    await clock.advance(300);
    await append(store, inbox, 'second');
    const { sync } = disk.calls;
    await clock.advance(199);
    assert.equal(disk.calls.sync, sync);
    await clock.advance(1);
    assert.equal(disk.calls.sync, sync + 1);
    await clock.advance(5000);
    assert.equal(disk.calls.sync, sync + 1, 'nothing came that had to be synced');
    disk.crash();
    const again = await openOn(disk);
    assert.deepEqual(await textsOf(again, inbox), ['first', 'second']);
    await again.close();
  });

  it('takes nothing more when the sync fails', async () => {
    const disk = fakeDisk();
    const clock = fakeClock();
    const store = await openOn(disk, { sync: { everyMs: 500 }, clock });
    const inbox = await begin(store);
    disk.fail('sync', 'EIO');
    await clock.advance(500);
    await fails(append(store, inbox, 'refused'), 'UNAVAILABLE');
    await store.close();
  });

  it('tells damage to what was on disk from a torn end', async () => {
    const disk = fakeDisk();
    let store = await openOn(disk, { sync: 'never' });
    const inbox = await begin(store);
    await append(store, inbox, 'on disk');
    await store.close();
    store = await openOn(disk, { sync: 'never' });
    await append(store, inbox, 'written');
    disk.flip(...find(disk, 'on disk'));
    await fails(openOn(disk), 'CORRUPTION');
  });

  it('refuses what is no way to sync', async () => {
    for (const sync of ['sometimes', { everyMs: 0 }, { everyMs: NaN }]) {
      const options = { sync } as EmbeddedStoreOptions;
      await assert.rejects(openEmbeddedStore('/nowhere', options), TypeError);
    }
  });
});

function find(disk: FakeDisk, text: string): [name: string, position: number] {
  for (const name of disk.list()) {
    const file = disk.open(name, 'read');
    const bytes = Buffer.alloc(file.size());
    file.read(bytes, 0);
    file.close();
    const position = bytes.indexOf(text);
    if (position >= 0) return [name, position];
  }
  return assert.fail(`${text} is nowhere`);
}

describe('a checkpoint of a store that is not synced for each commit', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sync-'));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('knows nothing that the journal may lose', async () => {
    const disk = fakeDisk();
    const open = async (): Promise<[JournalStore, Index]> => {
      const options = withDefaults({ segmentOctets: 65_536, sync: 'never' });
      const { cache } = options;
      const index = new Index({
        directories: [directory],
        log: silent,
        cache,
        rebuild: () => undefined,
      });
      const store = await openJournalStore(
        {
          ...options,
          disk,
          link: (about) => new InlineLink(new JournalWriter(disk, about), silent),
        },
        (id) => index.load(id),
      );
      return [store, index];
    };
    const [store, index] = await open();
    const inbox = await begin(store);
    await append(store, inbox, 'first');
    const { journal } = store;
    const checkpoint = journal.settled(() => index.checkpoint(journal.durableEnd));
    await append(store, inbox, 'second');
    await checkpoint;
    disk.crash();
    await index.close();
    const [again, its] = await open();
    assert.equal((await textsOf(again, inbox))[0], 'first');
    await append(again, inbox, 'after');
    await again.close();
    await its.close();
  });
});
