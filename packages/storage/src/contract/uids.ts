import assert from 'node:assert/strict';
import type { MailboxId, UidValidity } from '@mail-server-kit/core';
import { alice, all, message, only, uidsOf, withStore, type Open, type Runner } from './given.ts';

export function uidPromises({ describe, it }: Runner, open: Open): void {
  describe('uids', () => {
    it(
      'begin at 1 and ascend',
      withStore(open, async ({ append, open: look }) => {
        assert.equal(await append(), 1);
        assert.equal(await append(), 2);
        assert.deepEqual(uidsOf(await look()), [1, 2]);
      }),
    );

    it(
      'are never given a second time, not even after an expunge (RFC 9051 section 2.3.1.1)',
      withStore(open, async ({ append, write, inbox }) => {
        const first = await append();
        await write({ op: 'expunge', mailbox: inbox, uids: only(first) });
        assert.ok((await append()) > first);
      }),
    );

    it(
      'are announced by uidNext, which an expunge does not change',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        await append();
        await append();
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        assert.equal((await look()).uidNext, 3);
        assert.equal(await append(), 3);
      }),
    );

    it(
      'of one commit are given in the order of its writes',
      withStore(open, async ({ store, inbox }) => {
        const { results } = await store.commit(
          [1, 2, 3].map(() => ({ op: 'append' as const, mailbox: inbox, ...message() })),
        );
        assert.deepEqual(
          results.map(({ uid }) => uid),
          [1, 2, 3],
        );
      }),
    );

    it(
      'of many commits at once are all different and without gaps',
      withStore(open, async ({ append, open: look }) => {
        const given = await Promise.all(Array.from({ length: 50 }, () => append()));
        assert.deepEqual(
          [...given].sort((a, b) => a - b),
          Array.from({ length: 50 }, (_, i) => i + 1),
        );
        assert.deepEqual(
          uidsOf(await look()),
          Array.from({ length: 50 }, (_, i) => i + 1),
        );
      }),
    );

    it(
      'come with a UIDVALIDITY of 1 to 2^32-1',
      withStore(open, async ({ open: look }) => {
        const { uidValidity } = await look();
        assert.ok(Number.isInteger(uidValidity) && uidValidity > 0 && uidValidity <= 0xffff_ffff);
      }),
    );

    it(
      'of a name that comes back belong to a higher UIDVALIDITY (RFC 9051 section 6.3.5)',
      withStore(open, async ({ store, write, mailbox }) => {
        const first = await store.open(await mailbox('Again'));
        await write({ op: 'deleteMailbox', mailbox: first.mailbox });
        const second = await store.open(await mailbox('Again'));
        assert.ok(second.uidValidity > first.uidValidity);
        assert.notEqual(second.mailbox, first.mailbox);
      }),
    );

    it(
      'keep their UIDVALIDITY and mailbox id through a rename (RFC 8474 section 4.1)',
      withStore(open, async ({ store, write, mailbox }) => {
        const before = await store.open(await mailbox('Old'));
        await write({ op: 'renameMailbox', mailbox: before.mailbox, name: 'New' });
        assert.equal((await store.open(before.mailbox)).uidValidity, before.uidValidity);
      }),
    );

    it(
      'of a restored mailbox keep the UIDVALIDITY that was given, and later ones are higher',
      withStore(open, async ({ store, write, mailbox }) => {
        const { mailbox: id, uidValidity } = await write({
          op: 'createMailbox',
          account: alice,
          name: 'Restored',
          mailboxId: 'given-1' as MailboxId,
          uidValidity: 70_000 as UidValidity,
        });
        assert.equal(id, 'given-1');
        assert.equal(uidValidity, 70_000);
        assert.ok((await store.open(await mailbox('Next'))).uidValidity > 70_000);
      }),
    );

    it(
      'of copies pair with those of the originals, in order',
      withStore(open, async ({ append, write, inbox, mailbox }) => {
        for (let i = 0; i < 4; i++) await append();
        const to = await mailbox('Copies');
        const { copies } = await write({ op: 'copy', mailbox: inbox, uids: only(2, 4), to });
        assert.deepEqual(copies, {
          from: [
            [2, 2],
            [4, 4],
          ],
          to: [[1, 2]],
        });
      }),
    );
  });
}
