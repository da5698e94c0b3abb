import assert from 'node:assert/strict';
import type { ExpungedInfo, MailStore, MailboxId } from '@mail-server-kit/core';
import {
  alice,
  all,
  bob,
  fails,
  flagsOf,
  message,
  octets,
  only,
  range,
  readText,
  rowsOf,
  uidsOf,
  withStore,
  type Open,
  type Runner,
} from './given.ts';

async function expungedOf(store: MailStore): Promise<readonly ExpungedInfo[]> {
  return (await store.expunged?.(alice)) ?? [];
}

async function onlyOne(store: MailStore): Promise<ExpungedInfo> {
  const [info, ...more] = await expungedOf(store);
  assert.ok(info);
  assert.deepEqual(more, []);
  return info;
}

/** Of a store with the ability 'undelete'. */
export function undeletePromises({ describe, it }: Runner, open: Open): void {
  describe('expunged messages', () => {
    it(
      'are listed and can be read, count for no quota, and are in no list of mailboxes',
      withStore(open, async ({ store, inbox, append, write }) => {
        if (!store.abilities.has('undelete')) return;
        assert.deepEqual(await expungedOf(store), []);
        await append('one');
        await append('three', { flags: ['\\Flagged', 'k'] });
        await write({ op: 'expunge', mailbox: inbox, uids: only(2) });
        const info = await onlyOne(store);
        const { id, ...rest } = info;
        assert.deepEqual(rest, {
          mailbox: inbox,
          account: alice,
          name: 'INBOX',
          there: true,
          messages: 1,
          octets: 5,
        });
        const snapshot = await store.open(id);
        assert.equal(await readText(store, { snapshot, uid: 1 as never }), 'three');
        assert.equal((await rowsOf(store, snapshot)).length, 1);
        assert.deepEqual(flagsOf(snapshot), [['\\Flagged', 'k']]);
        const { used } = await store.usage(alice);
        assert.deepEqual(used, { octets: 3, messages: 1, mailboxes: 1 });
        assert.deepEqual(
          (await store.mailboxes(alice)).map(({ name }) => name),
          ['INBOX'],
        );
      }),
    );

    it(
      'come back as they were, but for \\Deleted, under a new uid',
      withStore(open, async ({ store, inbox, append, write, open: look }) => {
        if (!store.abilities.has('undelete')) return;
        for (const text of ['a', 'bb', 'ccc']) {
          await append(text, { flags: ['\\Deleted', 'k'], internalDate: 77_000, internalZone: 90 });
        }
        const emails = (await rowsOf(store, await look())).map(({ emailId }) => emailId);
        await write({ op: 'expunge', mailbox: inbox, uids: range(1, 2), onlyDeleted: true });
        const { id } = await onlyOne(store);
        const result = await write({ op: 'undelete', mailbox: id, uids: only(2) });
        assert.deepEqual(result.copies, { from: only(2), to: only(4) });
        assert.equal(result.mailbox, inbox);
        const snapshot = await look();
        assert.equal(result.modSeq, snapshot.highestModSeq);
        assert.deepEqual(uidsOf(snapshot), [3, 4]);
        assert.deepEqual(flagsOf(snapshot), [['\\Deleted', 'k'], ['k']]);
        assert.equal(snapshot.blocks[0]?.internalDate[1], 77_000);
        assert.equal(snapshot.blocks[0]?.internalZone[1], 90);
        assert.equal((await rowsOf(store, snapshot))[1]?.emailId, emails[1]);
        assert.equal(await readText(store, { snapshot, uid: 4 as never }), 'bb');
        assert.deepEqual((await store.usage(alice)).used, { octets: 5, messages: 2, mailboxes: 1 });
        assert.equal((await onlyOne(store)).messages, 1);
      }),
    );

    it(
      'of a mailbox that is deleted come back into another one',
      withStore(open, async ({ store, inbox, mailbox, write, open: look }) => {
        if (!store.abilities.has('undelete')) return;
        const work = await mailbox('Work');
        for (const text of ['a', 'b']) {
          await write({ op: 'append', mailbox: work, ...message(text) });
        }
        await write({ op: 'expunge', mailbox: work, uids: only(1) });
        await write({ op: 'deleteMailbox', mailbox: work });
        const info = await onlyOne(store);
        assert.deepEqual(
          [info.mailbox, info.name, info.there, info.messages],
          [work, 'Work', false, 2],
        );
        await fails(
          store.commit([{ op: 'undelete', mailbox: info.id, uids: all }]),
          'NONEXISTENT',
          0,
        );
        await write({ op: 'undelete', mailbox: info.id, uids: all, to: inbox });
        const snapshot = await look();
        assert.equal(await readText(store, { snapshot, uid: 1 as never }), 'a');
        assert.equal(await readText(store, { snapshot, uid: 2 as never }), 'b');
        assert.deepEqual(await expungedOf(store), []);
      }),
    );

    it(
      'are what a replace took away, and not what a move did',
      withStore(open, async ({ store, inbox, append, mailbox, write }) => {
        if (!store.abilities.has('undelete')) return;
        const other = await mailbox('Other');
        await append('draft');
        await append('moved');
        await write({ op: 'move', mailbox: inbox, uids: only(2), to: other });
        assert.deepEqual(await expungedOf(store), []);
        await write({
          op: 'replace',
          mailbox: inbox,
          uid: 1 as never,
          to: inbox,
          ...message('new'),
        });
        const { id } = await onlyOne(store);
        const snapshot = await store.open(id);
        assert.equal(await readText(store, { snapshot, uid: 1 as never }), 'draft');
      }),
    );

    it(
      'that came with the same commit were never seen, and are not kept',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        if (!store.abilities.has('undelete')) return;
        await append('before');
        await write(
          { op: 'append', mailbox: inbox, ...message('never seen') },
          { op: 'expunge', mailbox: inbox, uids: all },
        );
        const { id } = await onlyOne(store);
        const snapshot = await store.open(id);
        assert.equal(snapshot.messages, 1);
        assert.equal(await readText(store, { snapshot, uid: 1 as never }), 'before');
        const work = await mailbox('Work');
        await write(
          { op: 'append', mailbox: work, ...message('never seen') },
          { op: 'deleteMailbox', mailbox: work },
        );
        await onlyOne(store);
      }),
    );

    it(
      'are not changed by other writes',
      withStore(open, async ({ store, inbox, append, write }) => {
        if (!store.abilities.has('undelete')) return;
        await append();
        await append();
        await write({ op: 'expunge', mailbox: inbox, uids: only(1) });
        const { id } = await onlyOne(store);
        const refused: Parameters<typeof write>[0][] = [
          { op: 'copy', mailbox: id, uids: all, to: inbox },
          { op: 'move', mailbox: id, uids: all, to: inbox },
          { op: 'copy', mailbox: inbox, uids: all, to: id },
          { op: 'move', mailbox: inbox, uids: all, to: id },
          { op: 'store', mailbox: id, uids: all, add: ['\\Seen'] },
          { op: 'append', mailbox: id, ...message() },
          { op: 'deleteMailbox', mailbox: id },
          { op: 'renameMailbox', mailbox: id, name: 'x' },
          { op: 'setMailbox', mailbox: id, subscribed: true },
          { op: 'undelete', mailbox: inbox, uids: all },
          { op: 'undelete', mailbox: id, uids: all, to: id },
        ];
        for (const each of refused) await fails(store.commit([each]), 'CANNOT', 0);
        // A snapshot that still has it may be read, so it is not removed at once.
        assert.deepEqual((await write({ op: 'expunge', mailbox: id, uids: all })).expunged, []);
        assert.equal((await onlyOne(store)).messages, 1);
      }),
    );

    it(
      'count again when they come back',
      withStore(open, async ({ store, inbox, append, write }) => {
        if (!store.abilities.has('undelete')) return;
        await write({ op: 'setAccount', account: alice, limits: { octets: 10 } });
        await append('12345678');
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        await append('1234');
        const { id } = await onlyOne(store);
        await fails(store.commit([{ op: 'undelete', mailbox: id, uids: all }]), 'OVERQUOTA', 0);
        await write({ op: 'setAccount', account: alice, limits: { octets: 12 } });
        await write({ op: 'undelete', mailbox: id, uids: all });
        assert.equal((await store.usage(alice)).used.octets, 12);
      }),
    );

    it(
      'go with their account, and are told to no other',
      withStore(open, async ({ store, inbox, append, write }) => {
        if (!store.abilities.has('undelete')) return;
        await write({ op: 'createAccount', account: bob });
        await append();
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        const { id } = await onlyOne(store);
        assert.deepEqual(await store.expunged?.(bob), []);
        await write({ op: 'putRecord', space: 's', key: 'k', value: octets('x'), account: alice });
        await write({ op: 'destroyAccount', account: alice });
        await fails(store.open(id), 'NONEXISTENT');
        await fails(store.expunged?.(alice) ?? Promise.resolve(), 'NONEXISTENT');
      }),
    );

    it(
      'make no change in the stream when they are removed or brought back, but where they come back',
      withStore(open, async ({ store, inbox, append, write }) => {
        if (!store.abilities.has('undelete')) return;
        await append();
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        const heard: (MailboxId | undefined)[] = [];
        store.subscribe({}, ({ mailbox }) => void heard.push(mailbox));
        await write({ op: 'undelete', mailbox: (await onlyOne(store)).id, uids: all });
        assert.deepEqual(heard, [inbox]);
      }),
    );
  });
}
