import assert from 'node:assert/strict';
import type {
  AccountId,
  Limits,
  MailStore,
  MailboxId,
  MailboxLimits,
  ModSeq,
  Uid,
} from '@mail-server-kit/core';
import {
  alice,
  all,
  bob,
  fails,
  message,
  octets,
  only,
  withStore,
  type Open,
  type Runner,
} from './given.ts';

/** What an account uses, by looking at everything that it has. */
export async function countedUse(
  store: MailStore,
  account: AccountId,
): Promise<Omit<Limits, 'messageOctets'>> {
  const infos = await store.mailboxes(account);
  let [messages, size] = [0, 0];
  for (const { id, ...info } of infos) {
    const { blocks } = await store.open(id);
    const sizes = blocks.flatMap((block) => [...block.size]);
    const sum = sizes.reduce((total, each) => total + each, 0);
    assert.deepEqual([info.messages, info.octets], [sizes.length, sum], info.name);
    messages += sizes.length;
    size += sum;
  }
  return { messages, octets: size, mailboxes: infos.length };
}

export function quotaPromises({ describe, it }: Runner, open: Open): void {
  describe('quotas', () => {
    it(
      'of octets and messages stop what would exceed them: OVERQUOTA, with the culprit',
      withStore(open, async ({ store, inbox, append, write }) => {
        await write({ op: 'setAccount', account: alice, limits: { octets: 10, messages: 3 } });
        await append('12345678');
        await fails(append('123'), 'OVERQUOTA', 0);
        await append('1');
        await append('1');
        await fails(
          store.commit([
            { op: 'expectMailbox', mailbox: inbox, modSeq: 999 as ModSeq },
            { op: 'append', mailbox: inbox, ...message('') },
          ]),
          'OVERQUOTA',
          1,
        );
        const { used, limits } = await store.usage(alice);
        assert.deepEqual(used, { octets: 10, messages: 3, mailboxes: 1 });
        assert.deepEqual(limits, { octets: 10, messages: 3 });
      }),
    );

    it(
      'count a copy, and not a move',
      withStore(open, async ({ inbox, append, write, mailbox }) => {
        const to = await mailbox('To');
        await append('12345');
        await write({ op: 'setAccount', account: alice, limits: { octets: 7, messages: 1 } });
        await fails(write({ op: 'copy', mailbox: inbox, uids: all, to }), 'OVERQUOTA', 0);
        await write({ op: 'move', mailbox: inbox, uids: all, to });
      }),
    );

    it(
      'let a message be replaced by one of its size',
      withStore(open, async ({ inbox, append, write }) => {
        const uid = await append('12345');
        await write({ op: 'setAccount', account: alice, limits: { octets: 6, messages: 1 } });
        await fails(
          write({ op: 'replace', mailbox: inbox, uid, to: inbox, ...message('1234567') }),
          'OVERQUOTA',
          0,
        );
        await write({ op: 'replace', mailbox: inbox, uid, to: inbox, ...message('123456') });
      }),
    );

    it(
      'are freed by an expunge and by the end of a mailbox',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        const other = await mailbox('Other');
        await append('12345');
        await write({ op: 'copy', mailbox: inbox, uids: all, to: other });
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        assert.equal((await store.usage(alice)).used.octets, 5);
        await write({ op: 'deleteMailbox', mailbox: other });
        assert.deepEqual((await store.usage(alice)).used, { octets: 0, messages: 0, mailboxes: 1 });
      }),
    );

    it(
      'bound a single message: TOOBIG',
      withStore(open, async ({ append, write }) => {
        await write({ op: 'setAccount', account: alice, limits: { messageOctets: 4 } });
        await fails(append('12345'), 'TOOBIG', 0);
        await append('1234');
      }),
    );

    it(
      'bound the number of mailboxes',
      withStore(open, async ({ mailbox, write }) => {
        await write({ op: 'setAccount', account: alice, limits: { mailboxes: 2 } });
        await mailbox('A');
        await fails(mailbox('B'), 'OVERQUOTA', 0);
      }),
    );

    it(
      'count the records of an account',
      withStore(open, async ({ store, write }) => {
        await write({
          op: 'putRecord',
          space: 's',
          key: 'k',
          value: octets('12345'),
          account: alice,
        });
        await write({
          op: 'putRecord',
          space: 's',
          key: 'k',
          value: octets('123'),
          account: alice,
        });
        assert.equal((await store.usage(alice)).used.octets, 3);
        await write({ op: 'setAccount', account: alice, limits: { octets: 4 } });
        await fails(
          write({ op: 'putRecord', space: 's', key: 'j', value: octets('12'), account: alice }),
          'OVERQUOTA',
          0,
        );
        await write({ op: 'deleteRecord', space: 's', key: 'k' });
        assert.equal((await store.usage(alice)).used.octets, 0);
      }),
    );
  });

  describe('quotas of a mailbox', () => {
    const limitsOf = async (store: MailStore, mailbox: MailboxId): Promise<MailboxLimits> =>
      (await store.mailboxes(alice)).find(({ id }) => id === mailbox)?.limits ?? {};

    it(
      'are told with it, change one by one, and go with null',
      withStore(open, async ({ store, inbox, write }) => {
        assert.deepEqual(await limitsOf(store, inbox), {});
        const set = (limits: Record<string, number | null>) =>
          write({ op: 'setMailbox', mailbox: inbox, limits });
        await set({ octets: 10, messages: 2 });
        await set({ messages: 3 });
        assert.deepEqual(await limitsOf(store, inbox), { octets: 10, messages: 3 });
        await write({ op: 'setMailbox', mailbox: inbox, subscribed: false });
        await set({ octets: null });
        assert.deepEqual(await limitsOf(store, inbox), { messages: 3 });
        await assert.rejects(set({ octets: -1 }), TypeError);
        await assert.rejects(set({ messages: NaN }), TypeError);
      }),
    );

    it(
      'stop what would exceed them, and nothing in other mailboxes: OVERQUOTA, with the culprit',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        const other = await mailbox('Other');
        await write({ op: 'setMailbox', mailbox: inbox, limits: { octets: 10, messages: 3 } });
        await append('12345678');
        await fails(append('123'), 'OVERQUOTA', 0);
        await append('1');
        await append('1');
        await fails(
          store.commit([
            { op: 'append', mailbox: other, ...message('123') },
            { op: 'append', mailbox: inbox, ...message('') },
          ]),
          'OVERQUOTA',
          1,
        );
        await write({ op: 'append', mailbox: other, ...message('a message of some length') });
        const info = (await store.mailboxes(alice)).find(({ id }) => id === inbox);
        assert.deepEqual([info?.octets, info?.messages], [10, 3]);
      }),
    );

    it(
      'count copies, and moves into the mailbox too, but not a move within it',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        const to = await mailbox('To');
        for (const content of ['123', '45', '6']) await append(content);
        await write({ op: 'setMailbox', mailbox: to, limits: { octets: 5, messages: 2 } });
        for (const op of ['copy', 'move'] as const) {
          await fails(write({ op, mailbox: inbox, uids: all, to }), 'OVERQUOTA', 0);
        }
        await write({ op: 'copy', mailbox: inbox, uids: only(1), to });
        await fails(write({ op: 'copy', mailbox: to, uids: all, to }), 'OVERQUOTA', 0);
        await write({ op: 'move', mailbox: inbox, uids: only(2), to });
        await fails(write({ op: 'move', mailbox: inbox, uids: only(3), to }), 'OVERQUOTA', 0);
        await write({ op: 'move', mailbox: to, uids: all, to });
        assert.deepEqual(await countedUse(store, alice), { messages: 4, octets: 9, mailboxes: 2 });
      }),
    );

    it(
      'count the difference when a message is replaced in its mailbox, all of it elsewhere',
      withStore(open, async ({ inbox, append, write, mailbox }) => {
        const to = await mailbox('To');
        const uid = await append('12345');
        const limits = { octets: 6, messages: 1 };
        await write({ op: 'setMailbox', mailbox: inbox, limits });
        await write({ op: 'setMailbox', mailbox: to, limits });
        const replace = (where: MailboxId, text: string, replaced = uid) =>
          write({ op: 'replace', mailbox: inbox, uid: replaced, to: where, ...message(text) });
        await fails(replace(inbox, '1234567'), 'OVERQUOTA', 0);
        const next = (await replace(inbox, '123456')).uid;
        await write({ op: 'append', mailbox: to, ...message('1') });
        await fails(replace(to, '1', next), 'OVERQUOTA', 0);
      }),
    );

    it(
      'bound mail from another account beside its own',
      withStore(open, async ({ store, inbox, append, write }) => {
        const his = (await write({ op: 'createAccount', account: bob })).mailbox as MailboxId;
        await append('12345');
        const limits = { octets: 4 };
        await write({ op: 'setMailbox', mailbox: his, limits });
        await fails(write({ op: 'move', mailbox: inbox, uids: all, to: his }), 'OVERQUOTA', 0);
        await write({ op: 'setMailbox', mailbox: his, limits: { octets: 5 } });
        await write({ op: 'move', mailbox: inbox, uids: all, to: his });
        assert.deepEqual((await store.usage(alice)).used, { messages: 0, octets: 0, mailboxes: 1 });
        assert.deepEqual((await store.usage(bob)).used, { messages: 1, octets: 5, mailboxes: 1 });
      }),
    );

    it(
      'that are lower than what is there stop only what adds to it',
      withStore(open, async ({ inbox, append, write }) => {
        for (const content of ['12345', '12345']) await append(content);
        await write({ op: 'setMailbox', mailbox: inbox, limits: { octets: 3, messages: 1 } });
        await fails(append(''), 'OVERQUOTA', 0);
        await write({ op: 'store', mailbox: inbox, uids: all, add: ['\\Seen'] });
        await write({
          op: 'replace',
          mailbox: inbox,
          uid: 1 as Uid,
          to: inbox,
          ...message('1234'),
        });
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        await append('123');
      }),
    );

    it(
      'stay with INBOX when that is renamed, and with any other mailbox that is',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        const other = await mailbox('Other');
        for (const each of [inbox, other]) {
          await write({ op: 'setMailbox', mailbox: each, limits: { messages: 1 } });
        }
        await append('12345');
        const { mailbox: all = inbox } = await write({
          op: 'renameMailbox',
          mailbox: inbox,
          name: 'Before',
        });
        await write({ op: 'renameMailbox', mailbox: other, name: 'Another' });
        assert.deepEqual(await limitsOf(store, all), {});
        assert.deepEqual(await limitsOf(store, other), { messages: 1 });
        await append('12345');
        await fails(append('1'), 'OVERQUOTA', 0);
        assert.deepEqual(await countedUse(store, alice), { messages: 2, octets: 10, mailboxes: 3 });
        assert.deepEqual((await store.usage(alice)).used, await countedUse(store, alice));
      }),
    );
  });
}
