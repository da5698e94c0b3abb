import assert from 'node:assert/strict';
import type { Change, Cursor, MailStore, MailboxId } from '@mail-server-kit/core';
import {
  alice,
  all,
  bob,
  fails,
  message,
  octets,
  withStore,
  type Open,
  type Runner,
} from './given.ts';

/** The first `count` changes. */
async function some(
  store: MailStore,
  count: number,
  since: Cursor | 'start' | 'now',
  scope: Parameters<MailStore['changes']>[1] = {},
): Promise<Change[]> {
  const abort = new AbortController();
  const found: Change[] = [];
  for await (const change of store.changes(since, scope, abort.signal)) {
    found.push(change);
    if (found.length === count) abort.abort();
  }
  return found;
}

const brief = ({ kind, account, mailbox, space, key }: Change) =>
  [kind, account, mailbox, space, key].filter((part) => part !== undefined).join(' ');

export function changePromises({ describe, it }: Runner, open: Open): void {
  describe('changes', () => {
    it(
      'are told from a cursor on, in the order of the commits',
      withStore(open, async ({ store, inbox, append, write }) => {
        const { cursor } = await store.commit([{ op: 'append', mailbox: inbox, ...message() }]);
        await append();
        await write({ op: 'putRecord', space: 's', key: 'k', value: octets('x'), account: alice });
        await write({ op: 'setMailbox', mailbox: inbox, subscribed: false });
        assert.deepEqual((await some(store, 3, cursor)).map(brief), [
          `messages alice ${inbox}`,
          'record alice s k',
          `mailbox alice ${inbox}`,
        ]);
      }),
    );

    it(
      'are told from the start',
      withStore(open, async ({ store, inbox, append }) => {
        await append();
        assert.deepEqual((await some(store, 3, 'start')).map(brief), [
          'account alice',
          `mailbox alice ${inbox}`,
          `messages alice ${inbox}`,
        ]);
      }),
    );

    it(
      'go on as they come, without a gap',
      withStore(open, async ({ store, append }) => {
        const waiting = some(store, 10, 'now');
        for (let i = 0; i < 10; i++) await append();
        const found = await waiting;
        assert.equal(new Set(found.map(({ cursor }) => cursor)).size, 10);
        const modSeqs = found.map(({ modSeq }) => modSeq ?? 0);
        assert.deepEqual(
          modSeqs,
          [...modSeqs].sort((a, b) => a - b),
        );
      }),
    );

    it(
      'can be taken up again at any cursor',
      withStore(open, async ({ store, append }) => {
        for (let i = 0; i < 5; i++) await append();
        const whole = await some(store, 7, 'start');
        for (const [i, { cursor }] of whole.slice(2, 6).entries()) {
          const rest = await some(store, 4 - i, cursor);
          assert.deepEqual(
            rest.map(({ cursor: each }) => each),
            whole.slice(3 + i).map(({ cursor: each }) => each),
          );
        }
      }),
    );

    it(
      'are told of one account or one space alone',
      withStore(open, async ({ store, append, write }) => {
        const since = (await store.commit([{ op: 'createAccount', account: bob }])).cursor;
        await append();
        await write({ op: 'putRecord', space: 'other', key: 'k', value: octets('x') });
        await write({ op: 'createMailbox', account: bob, name: 'His' });
        await write({ op: 'putRecord', space: 's', key: 'k', value: octets('x') });
        assert.deepEqual(
          (await some(store, 1, since, { account: bob })).map(({ kind }) => kind),
          ['mailbox'],
        );
        assert.deepEqual((await some(store, 1, since, { space: 's' })).map(brief), ['record s k']);
      }),
    );

    it(
      'name a mailbox once for each commit',
      withStore(open, async ({ store, inbox }) => {
        const since = (await store.commit([{ op: 'createMailbox', account: alice, name: 'x' }]))
          .cursor;
        await store.commit(
          [1, 2, 3].map(() => ({ op: 'append' as const, mailbox: inbox, ...message() })),
        );
        await store.commit([{ op: 'createMailbox', account: alice, name: 'y' }]);
        assert.deepEqual(
          (await some(store, 2, since)).map(({ kind }) => kind),
          ['messages', 'mailbox'],
        );
      }),
    );

    it(
      'end when the signal aborts',
      withStore(open, async ({ store }) => {
        const abort = new AbortController();
        const ended = (async () => {
          for await (const _ of store.changes('now', {}, abort.signal))
            assert.fail('nothing happened');
        })();
        abort.abort();
        await ended;
      }),
    );

    it(
      'after a cursor that is not known are FORGOTTEN',
      withStore(open, async ({ store }) => {
        await fails(some(store, 1, '999999999' as Cursor), 'FORGOTTEN');
      }),
    );
  });

  describe('subscriptions', () => {
    it(
      'hear of a change when it can be seen, and before the commit is answered',
      withStore(open, async ({ store, inbox, append }) => {
        const heard: Promise<number>[] = [];
        const cancel = store.subscribe({ mailboxes: [inbox] }, () => {
          heard.push(store.open(inbox).then(({ messages }) => messages));
        });
        await append();
        assert.equal(heard.length, 1);
        assert.deepEqual(await Promise.all(heard), [1]);
        cancel();
        await append();
        assert.equal(heard.length, 1);
      }),
    );

    it(
      'hear of their accounts and mailboxes only, and once',
      withStore(open, async ({ store, inbox, append, mailbox, write }) => {
        const other = await mailbox('Other');
        const heard: (MailboxId | undefined)[] = [];
        store.subscribe({ mailboxes: [other] }, ({ mailbox: where }) => void heard.push(where));
        const accounts: (MailboxId | undefined)[] = [];
        store.subscribe(
          { accounts: [alice], mailboxes: [inbox] },
          ({ mailbox: where }) => void accounts.push(where),
        );
        await append();
        await write({ op: 'copy', mailbox: inbox, uids: all, to: other });
        assert.deepEqual(heard, [other]);
        assert.deepEqual(accounts, [inbox, other]);
      }),
    );

    it(
      'that throw do no harm',
      withStore(open, async ({ store, append }) => {
        store.subscribe({ accounts: [alice] }, () => {
          throw new Error('a fault of the listener');
        });
        assert.equal(await append(), 1);
      }),
    );
  });
}
