import assert from 'node:assert/strict';
import type { AccountId, MailboxId } from '@mail-server-kit/core';
import {
  alice,
  bob,
  fails,
  message,
  octets,
  text,
  uidsOf,
  withStore,
  type Open,
  type Runner,
} from './given.ts';

export function mailboxPromises({ describe, it }: Runner, open: Open): void {
  describe('mailboxes', () => {
    it(
      'are INBOX alone in a new account',
      withStore(open, async ({ store, inbox }) => {
        const infos = await store.mailboxes(alice);
        assert.deepEqual(
          infos.map(({ name, id }) => [name, id]),
          [['INBOX', inbox]],
        );
      }),
    );

    it(
      'are sorted by name in code points',
      withStore(open, async ({ store, mailbox }) => {
        for (const name of ['b', 'a/c', 'a', 'Z', 'é', 'a b', '\u{1F4E7}', '\uFFFD'])
          await mailbox(name);
        assert.deepEqual(
          (await store.mailboxes(alice)).map(({ name }) => name),
          ['INBOX', 'Z', 'a', 'a b', 'a/c', 'b', 'é', '\uFFFD', '\u{1F4E7}'],
        );
      }),
    );

    it(
      'exist once per name: ALREADYEXISTS',
      withStore(open, async ({ mailbox }) => {
        await mailbox('Work');
        await fails(mailbox('Work'), 'ALREADYEXISTS', 0);
      }),
    );

    it(
      'have INBOX in any letter case',
      withStore(open, async ({ mailbox }) => {
        await fails(mailbox('inbox'), 'ALREADYEXISTS');
        await fails(mailbox('iNbOx'), 'ALREADYEXISTS');
      }),
    );

    it(
      'have names in NFC, however they were given',
      withStore(open, async ({ store, mailbox }) => {
        await mailbox('Entwu\u0308rfe');
        await fails(mailbox('Entw\u00fcrfe'), 'ALREADYEXISTS');
        assert.equal((await store.mailboxes(alice))[0]?.name, 'Entw\u00fcrfe');
      }),
    );

    it(
      'have no empty levels and no control characters in their names: CANNOT',
      withStore(open, async ({ mailbox }) => {
        for (const name of [
          '',
          '/',
          'a//b',
          '/a',
          'a/',
          'a\u0000b',
          'a\r\nb',
          'a\u007f',
          'a\u0085b',
        ]) {
          await fails(mailbox(name), 'CANNOT', 0);
        }
      }),
    );

    it(
      'do not bring their parents with them',
      withStore(open, async ({ store, mailbox }) => {
        await mailbox('a/b/c');
        assert.deepEqual(
          (await store.mailboxes(alice)).map(({ name }) => name),
          ['INBOX', 'a/b/c'],
        );
      }),
    );

    it(
      'take their children along in a rename, and keep what is in them (RFC 9051 section 6.3.6)',
      withStore(open, async ({ store, write, mailbox }) => {
        const parent = await mailbox('old');
        const child = await mailbox('old/child/deep');
        await mailbox('older');
        await write({ op: 'append', mailbox: child, ...message() });
        await write({ op: 'renameMailbox', mailbox: parent, name: 'new/place' });
        assert.deepEqual(
          (await store.mailboxes(alice)).map(({ name }) => name),
          ['INBOX', 'new/place', 'new/place/child/deep', 'older'],
        );
        assert.deepEqual(uidsOf(await store.open(child)), [1]);
      }),
    );

    it(
      'are not renamed onto others, nor below themselves',
      withStore(open, async ({ write, mailbox }) => {
        const a = await mailbox('a');
        await mailbox('b');
        await mailbox('a/x');
        await mailbox('c/x');
        await fails(write({ op: 'renameMailbox', mailbox: a, name: 'b' }), 'ALREADYEXISTS', 0);
        await fails(write({ op: 'renameMailbox', mailbox: a, name: 'INBOX' }), 'ALREADYEXISTS', 0);
        await fails(write({ op: 'renameMailbox', mailbox: a, name: 'c' }), 'ALREADYEXISTS', 0);
        await fails(write({ op: 'renameMailbox', mailbox: a, name: 'a/b' }), 'CANNOT', 0);
      }),
    );

    it(
      'give the messages of INBOX to the new name in a rename, and INBOX stays, with its children (RFC 9051 section 6.3.6)',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        await append();
        await append();
        await mailbox('INBOX/child');
        const { mailbox: moved } = await write({
          op: 'renameMailbox',
          mailbox: inbox,
          name: 'old-mail',
        });
        assert.deepEqual(
          (await store.mailboxes(alice)).map(({ name, messages }) => [name, messages]),
          [
            ['INBOX', 0],
            ['INBOX/child', 0],
            ['old-mail', 2],
          ],
        );
        assert.notEqual(moved, inbox);
        assert.equal(await append(), 3);
      }),
    );

    it(
      'go without their children (RFC 9051 section 6.3.5)',
      withStore(open, async ({ store, write, mailbox }) => {
        const parent = await mailbox('p');
        await mailbox('p/c');
        await write({ op: 'deleteMailbox', mailbox: parent });
        assert.deepEqual(
          (await store.mailboxes(alice)).map(({ name }) => name),
          ['INBOX', 'p/c'],
        );
        await fails(store.open(parent), 'NONEXISTENT');
        await fails(write({ op: 'append', mailbox: parent, ...message() }), 'NONEXISTENT', 0);
      }),
    );

    it(
      'do not include INBOX among those that can be deleted: CANNOT',
      withStore(open, async ({ write, inbox }) => {
        await fails(write({ op: 'deleteMailbox', mailbox: inbox }), 'CANNOT', 0);
      }),
    );

    it(
      'have a special use, a subscription and rights that can be changed',
      withStore(open, async ({ store, write }) => {
        const { mailbox } = await write({
          op: 'createMailbox',
          account: alice,
          name: 'S',
          specialUse: '\\Sent',
          subscribed: true,
        });
        const id = mailbox as MailboxId;
        const info = async () => (await store.mailboxes(alice)).find((each) => each.id === id);
        assert.equal((await info())?.specialUse, '\\Sent');
        assert.equal((await info())?.subscribed, true);
        await write({
          op: 'setMailbox',
          mailbox: id,
          specialUse: null,
          subscribed: false,
          acl: [[bob, 'lr']],
        });
        assert.equal((await info())?.specialUse, undefined);
        assert.equal((await info())?.subscribed, false);
        assert.deepEqual((await info())?.acl, [[bob, 'lr']]);
        await write({ op: 'setMailbox', mailbox: id, acl: [[bob, null]] });
        assert.deepEqual((await info())?.acl, []);
      }),
    );

    it(
      'have metadata: null removes an entry (RFC 5464)',
      withStore(open, async ({ store, write, inbox }) => {
        await write({
          op: 'setMailbox',
          mailbox: inbox,
          metadata: [
            ['/shared/comment', octets('hi')],
            ['/private/x', octets('y')],
          ],
        });
        await write({ op: 'setMailbox', mailbox: inbox, metadata: [['/private/x', null]] });
        assert.deepEqual(
          (await store.metadata(inbox)).map(([entry, value]) => [entry, text(value)]),
          [['/shared/comment', 'hi']],
        );
      }),
    );

    it(
      'of others are listed to those who have the right l',
      withStore(open, async ({ store, write, mailbox }) => {
        await write({ op: 'createAccount', account: bob });
        const shared = await mailbox('Shared');
        const hidden = await mailbox('Hidden');
        await write({ op: 'setMailbox', mailbox: shared, acl: [[bob, 'lrs']] });
        await write({ op: 'setMailbox', mailbox: hidden, acl: [[bob, 'r']] });
        assert.deepEqual(
          (await store.mailboxes(bob)).map(({ name }) => name),
          ['INBOX'],
        );
        assert.deepEqual(
          (await store.mailboxes(bob, { shared: true })).map(({ name, account }) => [
            name,
            account,
          ]),
          [
            ['INBOX', bob],
            ['Shared', alice],
          ],
        );
      }),
    );

    it(
      'leave their subscription behind when they are deleted (RFC 9051 section 6.3.7)',
      withStore(open, async ({ store, write }) => {
        const { mailbox } = await write({
          op: 'createMailbox',
          account: alice,
          name: 'Sub',
          subscribed: true,
        });
        await write({ op: 'deleteMailbox', mailbox: mailbox as MailboxId });
        assert.deepEqual(await store.subscribedNames(alice), ['Sub']);
        await write({ op: 'createMailbox', account: alice, name: 'Sub' });
        assert.deepEqual(await store.subscribedNames(alice), []);
        assert.equal(
          (await store.mailboxes(alice)).find(({ name }) => name === 'Sub')?.subscribed,
          true,
        );
      }),
    );

    it(
      'need not exist to be subscribed',
      withStore(open, async ({ store, write }) => {
        await write({ op: 'subscribeName', account: alice, name: 'Later', subscribed: true });
        assert.deepEqual(await store.subscribedNames(alice), ['Later']);
        await write({ op: 'subscribeName', account: alice, name: 'Later', subscribed: false });
        assert.deepEqual(await store.subscribedNames(alice), []);
      }),
    );

    it(
      'may be filled in the commit that makes them',
      withStore(open, async ({ store }) => {
        const id = 'fresh' as MailboxId;
        const { results } = await store.commit([
          { op: 'createMailbox', account: alice, name: 'Fresh', mailboxId: id },
          { op: 'append', mailbox: id, ...message() },
        ]);
        assert.equal(results[1]?.uid, 1);
        assert.deepEqual(uidsOf(await store.open(id)), [1]);
      }),
    );
  });

  describe('accounts', () => {
    it(
      'are made once: ALREADYEXISTS',
      withStore(open, async ({ write }) => {
        await fails(write({ op: 'createAccount', account: alice }), 'ALREADYEXISTS', 0);
      }),
    );

    it(
      'that do not exist are NONEXISTENT everywhere',
      withStore(open, async ({ store, write }) => {
        const nobody = 'nobody' as AccountId;
        await fails(store.mailboxes(nobody), 'NONEXISTENT');
        await fails(store.usage(nobody), 'NONEXISTENT');
        await fails(write({ op: 'createMailbox', account: nobody, name: 'x' }), 'NONEXISTENT', 0);
        await fails(write({ op: 'destroyAccount', account: nobody }), 'NONEXISTENT', 0);
      }),
    );

    it(
      'go with everything they own, their records included',
      withStore(open, async ({ store, write, inbox, append }) => {
        await append();
        await write({
          op: 'putRecord',
          space: 's',
          key: 'hers',
          value: octets('x'),
          account: alice,
        });
        await write({ op: 'putRecord', space: 's', key: 'nobodys', value: octets('x') });
        await write({ op: 'destroyAccount', account: alice });
        await fails(store.mailboxes(alice), 'NONEXISTENT');
        await fails(store.open(inbox), 'NONEXISTENT');
        assert.equal(await store.record('s', 'hers'), undefined);
        assert.ok(await store.record('s', 'nobodys'));
      }),
    );

    it(
      'have ids that are never given again',
      withStore(open, async ({ write }) => {
        await write({ op: 'destroyAccount', account: alice });
        await fails(write({ op: 'createAccount', account: alice }), 'ALREADYEXISTS', 0);
      }),
    );
  });
}
