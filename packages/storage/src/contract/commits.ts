import assert from 'node:assert/strict';
import type { MailboxId, Uid } from '@mail-server-kit/core';
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
  uidsOf,
  withStore,
  type Open,
  type Runner,
} from './given.ts';

export function commitPromises({ describe, it }: Runner, open: Open): void {
  describe('commits', () => {
    it(
      'do all or nothing, and name the culprit',
      withStore(open, async ({ store, inbox, open: look }) => {
        await fails(
          store.commit([
            { op: 'append', mailbox: inbox, ...message() },
            { op: 'createMailbox', account: alice, name: 'New' },
            { op: 'append', mailbox: 'nowhere' as MailboxId, ...message() },
          ]),
          'NONEXISTENT',
          2,
        );
        assert.equal((await look()).messages, 0);
        assert.equal((await look()).uidNext, 1);
        assert.equal((await store.mailboxes(alice)).length, 1);
      }),
    );

    it(
      'reach several accounts at once',
      withStore(open, async ({ store, inbox, write }) => {
        const { mailbox } = await write({ op: 'createAccount', account: bob });
        const { stage } = await store.stage([octets('to both')]);
        await store.commit(
          [inbox, mailbox as MailboxId].map((each) => ({
            op: 'append' as const,
            mailbox: each,
            ...message([{ stage }]),
          })),
        );
        for (const each of [inbox, mailbox as MailboxId]) {
          assert.equal(
            await readText(store, { snapshot: await store.open(each), uid: 1 as Uid }),
            'to both',
          );
        }
      }),
    );

    it(
      'are seen as soon as they are answered',
      withStore(open, async ({ store, inbox, append }) => {
        for (let i = 1; i <= 20; i++) {
          await append();
          assert.equal((await store.open(inbox)).messages, i);
        }
      }),
    );

    it(
      'see what earlier writes of the same commit did',
      withStore(open, async ({ store, inbox, open: look }) => {
        const { results } = await store.commit([
          { op: 'append', mailbox: inbox, ...message() },
          { op: 'store', mailbox: inbox, uids: all, add: ['\\Deleted'] },
          { op: 'expunge', mailbox: inbox, uids: all, onlyDeleted: true },
          { op: 'append', mailbox: inbox, ...message() },
        ]);
        assert.deepEqual(results[2]?.expunged, [[1, 1]]);
        assert.deepEqual(uidsOf(await look()), [2]);
      }),
    );

    it(
      'with an id give the first result again and are not done twice',
      withStore(open, async ({ store, inbox, open: look }) => {
        const first = await store.commit([{ op: 'append', mailbox: inbox, ...message() }], {
          id: 'x',
        });
        const { stage } = await store.stage([octets('again')]);
        const second = await store.commit(
          [{ op: 'append', mailbox: inbox, ...message([{ stage }]) }],
          { id: 'x' },
        );
        assert.deepEqual(second, first);
        assert.equal((await look()).messages, 1);
        const other = await store.commit([{ op: 'append', mailbox: inbox, ...message() }], {
          id: 'y',
        });
        assert.notDeepEqual(other, first);
      }),
    );

    it(
      'with the same id at the same time are done once',
      withStore(open, async ({ store, inbox, open: look }) => {
        const both = await Promise.all(
          [1, 2].map(() =>
            store.commit([{ op: 'append', mailbox: inbox, ...message() }], { id: 'x' }),
          ),
        );
        assert.deepEqual(both[0], both[1]);
        assert.equal((await look()).messages, 1);
      }),
    );

    it(
      'with an id that failed may be tried again',
      withStore(open, async ({ store, mailbox }) => {
        const put = () =>
          store.commit([{ op: 'renameMailbox', mailbox: 'late' as MailboxId, name: 'New' }], {
            id: 'x',
          });
        await fails(put(), 'NONEXISTENT');
        await mailbox('Other');
        await fails(put(), 'NONEXISTENT');
      }),
    );

    it(
      'of nothing are answered too',
      withStore(open, async ({ store }) => {
        assert.deepEqual((await store.commit([])).results, []);
      }),
    );
  });

  describe('snapshots', () => {
    it(
      'of nothing wait for those before them, not for all that come after',
      withStore(open, async ({ store, inbox }) => {
        let stop = false;
        const busy = [1, 2, 3].map(async () => {
          while (!stop) await store.commit([{ op: 'append', mailbox: inbox, ...message() }]);
        });
        const nothing = { op: 'store' as const, mailbox: inbox, uids: [], add: ['\\Seen'] };
        for (let i = 0; i < 5; i++) await store.commit([nothing]);
        stop = true;
        await Promise.all(busy);
      }),
    );

    it(
      'never change',
      withStore(open, async ({ inbox, append, write, open: look }) => {
        for (let i = 0; i < 3; i++) await append();
        const snapshot = await look();
        const before = structuredClone(snapshot);
        await write({ op: 'store', mailbox: inbox, uids: all, add: ['\\Seen', 'new'] });
        await write({ op: 'expunge', mailbox: inbox, uids: only(2) });
        await append();
        assert.deepEqual(structuredClone(snapshot), before);
        assert.deepEqual(flagsOf(snapshot), [[], [], []]);
      }),
    );

    it(
      'survive structuredClone',
      withStore(open, async ({ store, append, open: look }) => {
        const uid = await append('cloned');
        const clone = structuredClone(await look());
        assert.deepEqual(uidsOf(clone), [1]);
        assert.equal(await readText(store, { snapshot: clone, uid }), 'cloned');
      }),
    );

    it(
      'share the blocks that did not change',
      withStore(open, async ({ store, inbox, write, open: look }) => {
        await store.commit(
          Array.from({ length: 1300 }, () => ({
            op: 'append' as const,
            mailbox: inbox,
            ...message(''),
          })),
        );
        const before = await look();
        await write({
          op: 'store',
          mailbox: inbox,
          uids: only(before.blocks[1]?.uid[3] ?? 0),
          add: ['\\Seen'],
        });
        const after = await store.open(inbox, before);
        const same = after.blocks.map((block, i) => block === before.blocks[i]);
        assert.ok(same[0]);
        assert.ok(!same[1]);
        assert.equal(same.filter((is) => !is).length, 1);
      }),
    );

    it(
      'have blocks of 1 to 512 messages, ascending, whatever was done before',
      withStore(open, async ({ store, inbox, write, open: look }) => {
        await store.commit(
          Array.from({ length: 1300 }, () => ({
            op: 'append' as const,
            mailbox: inbox,
            ...message(''),
          })),
        );
        await write({
          op: 'expunge',
          mailbox: inbox,
          uids: [...range(2, 511), ...range(520, 900), ...range(1000, 1299)],
        });
        await store.commit(
          Array.from({ length: 700 }, () => ({
            op: 'append' as const,
            mailbox: inbox,
            ...message(''),
          })),
        );
        const { blocks, messages, uidNext } = await look();
        let last = 0;
        for (const block of blocks) {
          const { uid, size } = block;
          assert.ok(uid.length >= 1 && uid.length <= 512);
          assert.equal(size.length, uid.length);
          assert.deepEqual([block.length, block.firstUid], [uid.length, uid[0]]);
          assert.equal(block.lastUid, uid.at(-1));
          for (const each of uid) {
            assert.ok(each > last);
            last = each;
          }
        }
        assert.equal(
          messages,
          blocks.reduce((sum, { uid }) => sum + uid.length, 0),
        );
        assert.equal(messages, 1300 - 510 - 381 - 300 + 700);
        assert.equal(uidNext, 2001);
      }),
    );

    it(
      'count what is unseen in each of their blocks',
      withStore(open, async ({ store, inbox, write, open: look }) => {
        await store.commit(
          Array.from({ length: 1100 }, (_, i) => ({
            op: 'append' as const,
            mailbox: inbox,
            ...message('', { flags: i % 5 ? ['\\Seen'] : [] }),
          })),
        );
        await write({ op: 'store', mailbox: inbox, uids: range(500, 700), add: ['\\Seen'] });
        await write({ op: 'store', mailbox: inbox, uids: only(2, 3), remove: ['\\Seen'] });
        await write({ op: 'expunge', mailbox: inbox, uids: range(600, 900) });
        const snapshot = await look();
        const flags = flagsOf(snapshot);
        let at = 0;
        for (const { length, unseen } of snapshot.blocks) {
          const rows = flags.slice(at, (at += length));
          assert.equal(unseen, rows.filter((names) => !names.includes('\\Seen')).length);
        }
      }),
    );
  });
}
