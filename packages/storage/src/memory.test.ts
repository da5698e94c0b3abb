import assert from 'node:assert/strict';
import type { MailboxId } from '@mail-server-kit/core';
import { fakeClock } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { alice, fails, message, octets, only } from './contract/given.ts';
import { mailStoreContract } from './contract/index.ts';
import { createMemoryStore } from './memory.ts';

describe('MemoryStore', () => {
  mailStoreContract({ describe, it }, async () => createMemoryStore());
});

describe('MemoryStore with a given clock', () => {
  const append = (mailbox: MailboxId) => ({ op: 'append' as const, mailbox, ...message() });

  it('remembers a commit by its id for an hour', async () => {
    const clock = fakeClock();
    const store = createMemoryStore({ clock });
    const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    const uid = async () => (await store.commit([append(inbox)], { id: 'x' })).results[0]?.uid;
    assert.equal(await uid(), 1);
    await clock.advance(3_600_000);
    assert.equal(await uid(), 1);
    await clock.advance(1);
    assert.equal(await uid(), 2);
    await store.close();
  });

  it('removes records whose time is over', async () => {
    const clock = fakeClock();
    const store = createMemoryStore({ clock });
    await store.commit([{ op: 'createAccount', account: alice }]);
    const expires = clock.now() + 1000;
    const record = { space: 's', key: 'k', value: octets('12345'), account: alice, expires };
    await store.commit([{ op: 'putRecord', ...record }]);
    await clock.advance(1000);
    assert.equal(await store.record('s', 'k'), undefined);
    assert.equal((await store.usage(alice)).used.octets, 5);
    await clock.advance(600_000);
    assert.equal((await store.usage(alice)).used.octets, 0);
    await store.close();
  });

  it('forgets the oldest expunges beyond a bound, and then tells all that is not there', async () => {
    const store = createMemoryStore({ vanishedRanges: 4 });
    const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    for (let i = 0; i < 20; i++) await store.commit([append(inbox)]);
    const { highestModSeq } = await store.open(inbox);
    for (const uid of [2, 4, 6, 8, 10, 12]) {
      await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(uid) }]);
    }
    const snapshot = await store.open(inbox);
    assert.ok(snapshot.vanishedFrom > highestModSeq);
    assert.deepEqual(await store.vanished(snapshot, highestModSeq), only(2, 4, 6, 8, 10, 12));
    assert.deepEqual(await store.vanished(snapshot, snapshot.vanishedFrom), only(8, 10, 12));
    await store.close();
  });

  it('forgets expunges after a time, too', async () => {
    const clock = fakeClock();
    const store = createMemoryStore({ clock, vanishedMs: 5000 });
    const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    for (let i = 0; i < 3; i++) await store.commit([append(inbox)]);
    const first = await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(1) }]);
    await clock.advance(5000);
    await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(2) }]);
    assert.equal((await store.open(inbox)).vanishedFrom, 0);
    await clock.advance(1);
    await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(3) }]);
    assert.equal((await store.open(inbox)).vanishedFrom, first.results[0]?.modSeq);
    await store.close();
  });

  it('keeps expunged messages for a time, and removes them for good then or when it is asked to', async () => {
    const clock = fakeClock();
    const undeleteMs = 3_600_000;
    const store = createMemoryStore({ clock, undeleteMs });
    const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    for (let i = 0; i < 3; i++) await store.commit([append(inbox)]);
    const left = async () => (await store.expunged?.(alice))?.[0]?.messages ?? 0;
    await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(1) }]);
    await clock.advance(1_800_000);
    await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(2, 3) }]);
    assert.equal(await left(), 3);
    await clock.advance(1_800_000);
    assert.equal(await left(), 3);
    await clock.advance(600_000);
    assert.equal(await left(), 2);
    const hidden = (await store.expunged?.(alice))?.[0]?.id as MailboxId;
    await store.commit([{ op: 'expunge', mailbox: hidden, uids: only(2) }]);
    assert.equal(await left(), 1);
    await clock.advance(1_800_000);
    assert.equal(await left(), 0);
    // Their uids are not given again, so that an old list of them brings nothing else back.
    await store.commit([append(inbox)]);
    await store.commit([{ op: 'expunge', mailbox: inbox, uids: only(4) }]);
    const { blocks } = await store.open(hidden);
    assert.deepEqual([...(blocks[0]?.uid ?? [])], [4]);
    assert.throws(() => createMemoryStore({ undeleteMs: 599_999 }), TypeError);
    await store.close();
  });

  it('stages no more at one time than it is told', async () => {
    const store = createMemoryStore({ maxStagedOctets: 10 });
    const first = await store.stage([octets('123456')]);
    await fails(store.stage([octets('12345')]), 'LIMIT');
    await store.discard(first.stage);
    await store.stage([octets('12345')]);
    await store.close();
  });
});
