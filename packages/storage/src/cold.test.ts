import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  flagBit,
  type MailStore,
  type MailboxId,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { alice, octets } from './contract/given.ts';
import { openEmbeddedStore } from './embedded/store.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-cold-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

const MESSAGES = 12_000;
const all: UidRanges = [[1 as Uid, 0xffff_ffff as Uid]];
const fifth = (uid: number): boolean => uid % 5 === 0;

describe('a large mailbox of which nothing is in memory', () => {
  let mailbox: MailboxId;
  let other: MailboxId;
  let count = 0;

  beforeAll(async () => {
    const store = await openEmbeddedStore(path.join(root, 'pristine'));
    const { results } = await store.commit([
      { op: 'createAccount', account: alice },
      { op: 'createMailbox', account: alice, name: 'Other' },
    ]);
    [mailbox, other] = results.map((result) => result.mailbox) as [MailboxId, MailboxId];
    const content = [octets('Subject: one of many\r\n\r\n')];
    await store.commit(
      Array.from({ length: 1000 }, (_, i) => ({
        ...{ op: 'append' as const, mailbox, content, internalDate: 0 },
        flags: fifth(i + 1) ? ['\\Seen'] : [],
        facts: {
          ...{
            version: 1,
            envelope: octets('e'),
            structure: octets('s'),
            ascii: true,
            preview: '',
          },
          sort: { sentDate: 0, subject: '', from: '', to: '', cc: '' },
          thread: { messageId: '', references: [] },
        },
      })),
    );
    for (let have = 1000; have < MESSAGES; have += 1000) {
      await store.commit([{ op: 'copy', mailbox, uids: [[1 as Uid, 1000 as Uid]], to: mailbox }]);
    }
    await store.close();
  });

  /** `cacheBytes` for three of the 24 blocks. */
  async function fresh(): Promise<{ store: MailStore; again: () => Promise<MailStore> }> {
    const directory = path.join(root, `copy${count++}`);
    fs.cpSync(path.join(root, 'pristine'), directory, { recursive: true });
    const open = () => openEmbeddedStore(directory, { cacheBytes: 100_000 });
    const store = await open();
    const again = async () => {
      await store.close();
      return open();
    };
    return { store, again };
  }

  it('gets a flag that only some messages lack, which alone get the modseq, as one commit', async () => {
    const { store, again } = await fresh();
    const { uidNext, highestModSeq } = await store.open(mailbox);
    assert.equal(uidNext, MESSAGES + 1);
    const seen = store.commit([{ op: 'store', mailbox, uids: all, add: ['\\Seen'] }]);
    // What comes later on the same mailbox sees it; another one is not held up.
    const done: string[] = [];
    const unseen = store.commit([
      { op: 'store', mailbox, uids: [[7 as Uid, 7 as Uid]], remove: ['\\Seen'] },
    ]);
    const elsewhere = store.commit([{ op: 'setMailbox', mailbox: other, subscribed: true }]);
    const told = [seen, unseen, elsewhere].map((commit, i) =>
      commit.then(() => done.push(['seen', 'unseen', 'elsewhere'][i] as string)),
    );
    await Promise.all(told);
    assert.deepEqual(done, ['elsewhere', 'seen', 'unseen']);
    const first = Number((await elsewhere).cursor);
    assert.equal(Number((await seen).cursor), first + 1);
    assert.equal(Number((await unseen).cursor), first + 2);
    const reopened = await again();
    const { blocks } = await reopened.open(mailbox);
    const changed = (await seen).results[0]?.modSeq as number;
    for (const block of blocks) {
      block.uid.forEach((uid, i) => {
        const isSeen = ((block.flagsLow[i] as number) & flagBit.seen) !== 0;
        assert.equal(isSeen, uid !== 7);
        const modSeq = block.modSeq[i] as number;
        if (uid === 7) assert.ok(modSeq > changed);
        else if (fifth(uid)) assert.ok(modSeq <= highestModSeq);
        else assert.equal(modSeq, changed);
      });
    }
    await reopened.close();
  });

  it('is not changed by a commit that waits for it when the store is closed', async () => {
    const { store, again } = await fresh();
    const late = store.commit([{ op: 'store', mailbox, uids: all, add: ['\\Seen'] }]);
    const refused = assert.rejects(late, { code: 'UNAVAILABLE' });
    const reopened = await again();
    await refused;
    const info = (await reopened.mailboxes(alice)).find(({ id }) => id === mailbox);
    assert.equal(info?.unseen, (MESSAGES * 4) / 5);
    await reopened.close();
  });

  it('gets a flag that nobody has with one small record, and nothing is read', async () => {
    const { store, again } = await fresh();
    const before = await store.open(mailbox);
    const since = (await store.commit([])).cursor;
    const { cursor } = await store.commit([
      { op: 'store', mailbox, uids: all, add: ['\\Flagged'] },
    ]);
    assert.equal(Number(cursor), Number(since) + 1);
    const after = await store.open(mailbox);
    for (const block of [...before.blocks, ...after.blocks]) {
      assert.equal((block as unknown as { resident: boolean }).resident, false);
    }
    const reopened = await again();
    const { blocks } = await reopened.open(mailbox);
    assert.ok(
      blocks.every(({ flagsLow }) => flagsLow.every((low) => (low & flagBit.flagged) !== 0)),
    );
    await reopened.close();
  });
});
