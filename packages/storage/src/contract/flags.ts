import assert from 'node:assert/strict';
import type { ModSeq } from '@mail-server-kit/core';
import { flagBit, systemFlags } from '@mail-server-kit/core';
import {
  all,
  fails,
  flagsOf,
  message,
  modSeqsOf,
  only,
  range,
  withStore,
  type Open,
  type Runner,
} from './given.ts';

export function flagPromises({ describe, it }: Runner, open: Open): void {
  describe('flags', () => {
    it(
      'of a new message are those that were given',
      withStore(open, async ({ append, open: look }) => {
        await append(undefined, { flags: ['\\Seen', 'work'] });
        await append();
        assert.deepEqual(flagsOf(await look()), [['\\Seen', 'work'], []]);
      }),
    );

    it(
      'have the bits of core for the system flags, first in every mailbox',
      withStore(open, async ({ append, open: look }) => {
        await append(undefined, { flags: [...systemFlags] });
        const { flagNames, blocks } = await look();
        assert.deepEqual(flagNames.slice(0, 5), [...systemFlags]);
        assert.equal(
          blocks[0]?.flagsLow[0],
          flagBit.answered | flagBit.flagged | flagBit.deleted | flagBit.seen | flagBit.draft,
        );
      }),
    );

    it(
      'are added and removed without touching others',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        await append(undefined, { flags: ['\\Seen', 'a'] });
        await write({ op: 'store', mailbox: inbox, uids: all, add: ['\\Flagged'], remove: ['a'] });
        assert.deepEqual(flagsOf(await look()), [['\\Flagged', '\\Seen']]);
      }),
    );

    it(
      'are replaced by set',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        await append(undefined, { flags: ['\\Seen', 'a', 'b'] });
        await write({ op: 'store', mailbox: inbox, uids: all, set: ['b', '\\Draft'] });
        assert.deepEqual(flagsOf(await look()), [['\\Draft', 'b']]);
        await write({ op: 'store', mailbox: inbox, uids: all, set: [] });
        assert.deepEqual(flagsOf(await look()), [[]]);
      }),
    );

    it(
      'are the same in any letter case, keywords as they were first written',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        await append(undefined, { flags: ['\\SEEN', 'Work'] });
        await write({ op: 'store', mailbox: inbox, uids: all, add: ['WORK', '\\flagged'] });
        assert.deepEqual(flagsOf(await look()), [['\\Flagged', '\\Seen', 'Work']]);
        await write({ op: 'store', mailbox: inbox, uids: all, remove: ['wORK', '\\sEEN'] });
        assert.deepEqual(flagsOf(await look()), [['\\Flagged']]);
      }),
    );

    it(
      'reach uids that are there and pass over those that are not',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        for (let i = 0; i < 3; i++) await append();
        await write({ op: 'expunge', mailbox: inbox, uids: only(2) });
        await write({ op: 'store', mailbox: inbox, uids: range(2, 99), add: ['\\Seen'] });
        assert.deepEqual(flagsOf(await look()), [[], ['\\Seen']]);
      }),
    );

    it(
      'can be 64 in a mailbox, and no more: LIMIT, and nothing is changed',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        const keywords = Array.from({ length: 59 }, (_, i) => `k${i}`);
        await append(undefined, { flags: keywords });
        assert.deepEqual(flagsOf(await look()), [keywords]);
        await fails(
          write({ op: 'store', mailbox: inbox, uids: all, add: ['one-more'] }),
          'LIMIT',
          0,
        );
        await fails(append(undefined, { flags: ['one-more'] }), 'LIMIT', 0);
        await write({ op: 'store', mailbox: inbox, uids: all, remove: keywords.slice(0, 58) });
        assert.deepEqual(flagsOf(await look()), [['k58']]);
      }),
    );

    it(
      'in the upper word are as good as those in the lower',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        const keywords = Array.from({ length: 40 }, (_, i) => `k${i}`);
        await append(undefined, { flags: keywords });
        await write({ op: 'store', mailbox: inbox, uids: all, set: ['k39', 'k1'] });
        assert.deepEqual(flagsOf(await look()), [['k1', 'k39']]);
      }),
    );

    it(
      'change nothing, not even a modseq, if they are already so',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        await append(undefined, { flags: ['\\Seen'] });
        const before = await look();
        const { modSeq } = await write({ op: 'store', mailbox: inbox, uids: all, add: ['\\Seen'] });
        assert.equal(modSeq, undefined);
        assert.equal((await look()).highestModSeq, before.highestModSeq);
      }),
    );

    it(
      'are counted: messages, unseen, deleted',
      withStore(open, async ({ store, append, write, inbox }) => {
        await append(undefined, { flags: ['\\Seen'] });
        await append(undefined, { flags: ['\\Deleted'] });
        await append();
        const count = async () => {
          const { messages, unseen, deleted } =
            (await store.mailboxes((await store.open(inbox)).account))[0] ?? {};
          return { messages, unseen, deleted };
        };
        assert.deepEqual(await count(), { messages: 3, unseen: 2, deleted: 1 });
        await write({ op: 'store', mailbox: inbox, uids: all, set: ['\\Seen', '\\Deleted'] });
        assert.deepEqual(await count(), { messages: 3, unseen: 0, deleted: 3 });
        await write({ op: 'expunge', mailbox: inbox, uids: only(1) });
        assert.deepEqual(await count(), { messages: 2, unseen: 0, deleted: 2 });
      }),
    );
  });

  describe('modseqs', () => {
    it(
      'ascend with every change, and highestModSeq is the highest (RFC 7162 section 3.1.1)',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        await append();
        await append();
        const first = await look();
        await write({ op: 'store', mailbox: inbox, uids: only(1), add: ['\\Seen'] });
        const second = await look();
        const [changed = 0, same] = modSeqsOf(second);
        assert.ok(changed > first.highestModSeq);
        assert.equal(same, modSeqsOf(first)[1]);
        assert.equal(second.highestModSeq, changed);
        const { modSeq } = await write({ op: 'expunge', mailbox: inbox, uids: only(2) });
        assert.equal((await look()).highestModSeq, modSeq);
        assert.ok((modSeq ?? 0) > changed);
      }),
    );

    it(
      'are positive, also of an empty mailbox',
      withStore(open, async ({ open: look }) => {
        assert.ok((await look()).highestModSeq >= 1);
      }),
    );

    it(
      'come from one counter per account',
      withStore(open, async ({ append, write, store, mailbox, open: look }) => {
        await append();
        const other = await mailbox('Other');
        const { modSeq = 0 } = await write({ op: 'append', mailbox: other, ...message() });
        await append();
        const inInbox = modSeqsOf(await look());
        assert.deepEqual(modSeqsOf(await store.open(other)), [modSeq]);
        assert.ok((inInbox[0] ?? 0) < modSeq && modSeq < (inInbox[1] ?? 0));
      }),
    );

    it(
      'stop a store: what was changed after unchangedSince is left alone and named (RFC 7162 section 3.1.3)',
      withStore(open, async ({ append, write, inbox, open: look }) => {
        for (let i = 0; i < 4; i++) await append();
        const { highestModSeq } = await look();
        await write({ op: 'store', mailbox: inbox, uids: only(2, 3), add: ['\\Seen'] });
        const { conflicts, modSeq } = await write({
          op: 'store',
          mailbox: inbox,
          uids: all,
          add: ['\\Flagged'],
          unchangedSince: highestModSeq,
        });
        assert.deepEqual(conflicts, [[2, 3]]);
        assert.ok((modSeq ?? 0) > highestModSeq);
        assert.deepEqual(flagsOf(await look()), [
          ['\\Flagged'],
          ['\\Seen'],
          ['\\Seen'],
          ['\\Flagged'],
        ]);
      }),
    );

    it(
      'of 0 as unchangedSince stop every store',
      withStore(open, async ({ append, write, inbox }) => {
        await append();
        const { conflicts, modSeq } = await write({
          op: 'store',
          mailbox: inbox,
          uids: all,
          add: ['\\Seen'],
          unchangedSince: 0 as ModSeq,
        });
        assert.deepEqual(conflicts, [[1, 1]]);
        assert.equal(modSeq, undefined);
      }),
    );

    it(
      'as an expectation fail the whole commit if the mailbox has changed',
      withStore(open, async ({ append, store, inbox, open: look }) => {
        await append();
        const { highestModSeq } = await look();
        const attempt = () =>
          store.commit([
            { op: 'expectMailbox', mailbox: inbox, modSeq: highestModSeq },
            { op: 'store', mailbox: inbox, uids: all, add: ['\\Seen'] },
          ]);
        await attempt();
        await fails(attempt(), 'CONFLICT', 0);
      }),
    );

    it(
      'tell what vanished, and only what is not in the snapshot',
      withStore(open, async ({ append, write, store, inbox, open: look }) => {
        for (let i = 0; i < 6; i++) await append();
        await write({ op: 'expunge', mailbox: inbox, uids: only(1) });
        const since = (await look()).highestModSeq;
        await write({ op: 'expunge', mailbox: inbox, uids: only(3) });
        const seen = await look();
        await write({ op: 'expunge', mailbox: inbox, uids: range(5, 6) });
        assert.deepEqual(await store.vanished(seen, since), only(3));
        assert.deepEqual(await store.vanished(await look(), since), [...only(3), ...range(5, 6)]);
        assert.deepEqual(await store.vanished(await look(), (await look()).highestModSeq), []);
      }),
    );
  });
}
