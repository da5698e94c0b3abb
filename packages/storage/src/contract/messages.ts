import assert from 'node:assert/strict';
import {
  isMailError,
  type EmailId,
  type MailboxId,
  type StageId,
  type Uid,
} from '@mail-server-kit/core';
import {
  alice,
  all,
  bob,
  collect,
  factsFor,
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

export function messagePromises({ describe, it }: Runner, open: Open): void {
  describe('messages', () => {
    it(
      'are read as they were given, byte for byte',
      withStore(open, async ({ store, append, open: look }) => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        const uid = await append([bytes]);
        assert.equal(
          await readText(store, { snapshot: await look(), uid }),
          bytes.toString('latin1'),
        );
      }),
    );

    it(
      'are read in parts, and there is nothing beyond the end',
      withStore(open, async ({ store, append, open: look }) => {
        const source = { uid: await append('0123456789'), snapshot: await look() };
        assert.equal(await readText(store, source, 3, 6), '345');
        assert.equal(await readText(store, source, 8), '89');
        assert.equal(await readText(store, source, 8, 100), '89');
        assert.equal(await readText(store, source, 10), '');
        assert.equal(await readText(store, source, 50, 60), '');
        assert.equal(await readText(store, source, 4, 4), '');
      }),
    );

    it(
      'may be empty',
      withStore(open, async ({ store, append, open: look }) => {
        const uid = await append([]);
        assert.equal(await readText(store, { snapshot: await look(), uid }), '');
      }),
    );

    it(
      'consist of slices in their order: octets, stages, other messages',
      withStore(open, async ({ store, inbox, append, open: look }) => {
        const first = await append('HEADbody of the first');
        const { stage, size } = await store.stage([octets('staged '), octets('octets')]);
        assert.equal(size, 13);
        const uid = await append([
          octets('Trace: x\r\n'),
          { stage, start: 2, end: 9 },
          { mailbox: inbox, uid: first, start: 4 },
        ]);
        assert.equal(
          await readText(store, { snapshot: await look(), uid }),
          'Trace: x\r\naged ocbody of the first',
        );
      }),
    );

    it(
      'may share a stage and differ in what stands before it',
      withStore(open, async ({ store, inbox, mailbox }) => {
        const other = await mailbox('Other');
        const { stage } = await store.stage([octets('the body')]);
        await store.commit([
          { op: 'append', mailbox: inbox, ...message([octets('one '), { stage }]) },
          { op: 'append', mailbox: other, ...message([octets('two '), { stage }]) },
        ]);
        const uid = 1 as Uid;
        assert.equal(
          await readText(store, { snapshot: await store.open(inbox), uid }),
          'one the body',
        );
        assert.equal(
          await readText(store, { snapshot: await store.open(other), uid }),
          'two the body',
        );
      }),
    );

    it(
      'outlive those they were made from',
      withStore(open, async ({ store, inbox, append, write, open: look }) => {
        const first = await append('quoted text');
        const uid = await append([{ mailbox: inbox, uid: first, start: 7 }]);
        await write({ op: 'expunge', mailbox: inbox, uids: only(first) });
        assert.equal(await readText(store, { snapshot: await look(), uid }), 'text');
      }),
    );

    it(
      'of a megabyte come back whole and in parts',
      withStore(open, async ({ store, append, open: look }) => {
        const line = Buffer.alloc(1_000_003, 'all work and no play ');
        const pieces = Array.from({ length: 101 }, (_, i) =>
          line.subarray(i * 10_000, (i + 1) * 10_000),
        );
        const { stage, size } = await store.stage(pieces);
        assert.equal(size, line.length);
        const source = { uid: await append([{ stage }]), snapshot: await look() };
        assert.ok((await readText(store, source)) === line.toString('latin1'));
        assert.equal(
          await readText(store, source, 262_140, 262_150),
          line.subarray(262_140, 262_150).toString('latin1'),
        );
        assert.equal(
          await readText(store, source, 1_000_000),
          line.subarray(1_000_000).toString('latin1'),
        );
      }),
    );

    it(
      'do not change when the caller uses its buffers again',
      withStore(open, async ({ store, append, open: look }) => {
        const buffer = Buffer.from('before');
        async function* reusing() {
          yield buffer;
          buffer.fill('x');
          yield Buffer.from('!');
        }
        const { stage } = await store.stage(reusing());
        const direct = Buffer.from('direct');
        const uid = await append([{ stage }, direct]);
        direct.fill('y');
        assert.equal(await readText(store, { snapshot: await look(), uid }), 'before!direct');
      }),
    );

    it(
      'have their size, dates, zone and save date in the columns',
      withStore(open, async ({ append, open: look }) => {
        await append('12345', {
          internalDate: 1_700_000_000_123,
          internalZone: -330,
          saveDate: 1_600_000_000_000,
        });
        const [block] = (await look()).blocks;
        assert.deepEqual(
          [block?.size[0], block?.internalDate[0], block?.internalZone[0], block?.saveDate[0]],
          [5, 1_700_000_000_123, -330, 1_600_000_000_000],
        );
      }),
    );

    it(
      'have the facts that were given, those that are asked for',
      withStore(open, async ({ store, append, open: look }) => {
        const facts = factsFor('ünïcode');
        await append(undefined, { facts });
        const [row] = await rowsOf(store, await look(), all, [
          'envelope',
          'structure',
          'preview',
          'sort',
          'thread',
        ]);
        assert.deepEqual(
          {
            ...row?.facts,
            envelope: [...(row?.facts.envelope ?? [])],
            structure: [...(row?.facts.structure ?? [])],
          },
          { ...facts, envelope: [...facts.envelope], structure: [...facts.structure] },
        );
        const [bare] = await rowsOf(store, await look(), all, []);
        assert.deepEqual(bare, { uid: 1, facts: { version: 1, ascii: false } });
      }),
    );

    it(
      'are fetched ascending, in batches of at most 512, without those that are not there',
      withStore(open, async ({ store, inbox, write, open: look }) => {
        await store.commit(
          Array.from({ length: 1100 }, (_, i) => ({
            op: 'append' as const,
            mailbox: inbox,
            ...message(`${i}`, { facts: factsFor(`f${i}`) }),
          })),
        );
        await write({ op: 'expunge', mailbox: inbox, uids: range(10, 19) });
        const uids: number[] = [];
        for await (const batch of store.fetch(await look(), range(5, 1090), ['envelope'])) {
          assert.ok(batch.length > 0 && batch.length <= 512);
          for (const { uid, facts } of batch) {
            uids.push(uid);
            assert.equal(Buffer.from(facts.envelope ?? []).toString(), `("f${uid - 1}")`);
          }
        }
        assert.deepEqual(
          uids,
          Array.from({ length: 1086 }, (_, i) => i + 5).filter((uid) => uid < 10 || uid > 19),
        );
      }),
    );

    it(
      'that are not in the snapshot cannot be read: NONEXISTENT',
      withStore(open, async ({ store, open: look }) => {
        await fails(readText(store, { snapshot: await look(), uid: 1 as Uid }), 'NONEXISTENT');
      }),
    );

    it(
      'have an email id of their own, and keep one that is given',
      withStore(open, async ({ store, append, open: look }) => {
        await append();
        await append();
        await append(undefined, { emailId: 'given-by-restore' as EmailId });
        const ids = (await rowsOf(store, await look())).map(({ emailId }) => emailId);
        assert.equal(new Set(ids).size, 3);
        assert.equal(ids[2], 'given-by-restore');
      }),
    );

    it(
      'are located by email id in all mailboxes of an account',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        await append();
        await append(undefined, { emailId: 'given' as EmailId });
        const to = await mailbox('Copies');
        await write({ op: 'copy', mailbox: inbox, uids: all, to });
        const [own] = await rowsOf(store, await store.open(inbox));
        const found = await store.locate(alice, [
          own?.emailId as EmailId,
          'given' as EmailId,
          'unknown' as EmailId,
        ]);
        const at = (uid: number) =>
          [
            [inbox, uid],
            [to, uid],
          ].sort();
        assert.deepEqual(
          found.map(({ at: places }) => [...places].sort()),
          [at(1), at(2), []],
        );
      }),
    );
  });

  describe('copy and move', () => {
    it(
      'carry flags, dates, facts, octets and email id along',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        await append('text', { flags: ['\\Seen', 'k'], internalDate: 77, internalZone: 60 });
        const to = await mailbox('To');
        await write({ op: 'append', mailbox: to, ...message('', { flags: ['z'] }) });
        await write({ op: 'copy', mailbox: inbox, uids: all, to });
        const [source, target] = [await store.open(inbox), await store.open(to)];
        assert.deepEqual(flagsOf(target), [['z'], ['\\Seen', 'k']]);
        assert.equal(target.blocks[0]?.internalDate[1], 77);
        assert.equal(target.blocks[0]?.internalZone[1], 60);
        assert.equal(await readText(store, { snapshot: target, uid: 2 as Uid }), 'text');
        assert.equal(
          (await rowsOf(store, target))[1]?.emailId,
          (await rowsOf(store, source))[0]?.emailId,
        );
      }),
    );

    it(
      'pass over uids that are not there',
      withStore(open, async ({ inbox, append, write, mailbox }) => {
        await append();
        const to = await mailbox('To');
        const { copies } = await write({ op: 'copy', mailbox: inbox, uids: range(1, 5), to });
        assert.deepEqual(copies, { from: [[1, 1]], to: [[1, 1]] });
        assert.equal(
          (await write({ op: 'move', mailbox: inbox, uids: range(9, 10), to })).copies,
          undefined,
        );
      }),
    );

    it(
      'leave nothing behind in a move (RFC 9051 section 6.4.8)',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        for (let i = 0; i < 3; i++) await append(`${i}`);
        const to = await mailbox('To');
        const { copies, expunged } = await write({
          op: 'move',
          mailbox: inbox,
          uids: only(1, 3),
          to,
        });
        assert.deepEqual(copies, {
          from: [
            [1, 1],
            [3, 3],
          ],
          to: [[1, 2]],
        });
        assert.deepEqual(expunged, [
          [1, 1],
          [3, 3],
        ]);
        assert.deepEqual(uidsOf(await store.open(inbox)), [2]);
        assert.equal(await readText(store, { snapshot: await store.open(to), uid: 2 as Uid }), '2');
      }),
    );

    it(
      'work within one mailbox',
      withStore(open, async ({ inbox, append, write, open: look }) => {
        await append();
        await append();
        await write({ op: 'copy', mailbox: inbox, uids: only(1), to: inbox });
        assert.deepEqual(uidsOf(await look()), [1, 2, 3]);
        await write({ op: 'move', mailbox: inbox, uids: only(1), to: inbox });
        assert.deepEqual(uidsOf(await look()), [2, 3, 4]);
      }),
    );

    it(
      'work between accounts',
      withStore(open, async ({ store, inbox, append, write }) => {
        await append('hers', { flags: ['k'] });
        const { mailbox: to } = await write({ op: 'createAccount', account: bob });
        await write({ op: 'move', mailbox: inbox, uids: all, to: to as MailboxId });
        const snapshot = await store.open(to as MailboxId);
        assert.equal(await readText(store, { snapshot, uid: 1 as Uid }), 'hers');
        assert.deepEqual(flagsOf(snapshot), [['k']]);
        assert.equal((await store.usage(alice)).used.messages, 0);
        assert.equal((await store.usage(bob)).used.messages, 1);
      }),
    );

    it(
      'of a message that was appended in the same commit work',
      withStore(open, async ({ store, inbox, mailbox }) => {
        const to = await mailbox('To');
        await store.commit([
          { op: 'append', mailbox: inbox, ...message('fresh') },
          { op: 'copy', mailbox: inbox, uids: all, to },
          { op: 'store', mailbox: to, uids: all, add: ['\\Seen'] },
        ]);
        const snapshot = await store.open(to);
        assert.equal(await readText(store, { snapshot, uid: 1 as Uid }), 'fresh');
        assert.deepEqual(flagsOf(snapshot), [['\\Seen']]);
        assert.deepEqual(flagsOf(await store.open(inbox)), [[]]);
      }),
    );

    it(
      'of thousands give them consecutive uids',
      withStore(open, async ({ store, inbox, write, mailbox }) => {
        await store.commit(
          Array.from({ length: 1500 }, (_, i) => ({
            op: 'append' as const,
            mailbox: inbox,
            ...message(`${i}`),
          })),
        );
        const to = await mailbox('To');
        const { copies } = await write({ op: 'move', mailbox: inbox, uids: range(1, 1400), to });
        assert.deepEqual(copies, { from: range(1, 1400), to: range(1, 1400) });
        assert.equal((await store.open(inbox)).messages, 100);
        assert.equal(
          await readText(store, { snapshot: await store.open(to), uid: 1400 as Uid }),
          '1399',
        );
      }),
    );
  });

  describe('expunge and replace', () => {
    it(
      'take only what is \\Deleted if they are told so',
      withStore(open, async ({ inbox, append, write, open: look }) => {
        await append(undefined, { flags: ['\\Deleted'] });
        await append();
        await append(undefined, { flags: ['\\Deleted'] });
        const { expunged } = await write({
          op: 'expunge',
          mailbox: inbox,
          uids: range(1, 2),
          onlyDeleted: true,
        });
        assert.deepEqual(expunged, [[1, 1]]);
        assert.deepEqual(uidsOf(await look()), [2, 3]);
      }),
    );

    it(
      'leave messages readable to who has opened before (10 minutes)',
      withStore(open, async ({ store, inbox, append, write, open: look }) => {
        const uid = await append('still there');
        const snapshot = await look();
        await write({ op: 'expunge', mailbox: inbox, uids: all });
        assert.equal(await readText(store, { snapshot, uid }), 'still there');
        assert.equal((await rowsOf(store, snapshot)).length, 1);
        assert.equal((await look()).messages, 0);
      }),
    );

    it(
      'put a new message for an old one, as one (RFC 8508)',
      withStore(open, async ({ store, inbox, append, write, mailbox }) => {
        const uid = await append('draft 1');
        const to = await mailbox('Drafts');
        const result = await write({
          op: 'replace',
          mailbox: inbox,
          uid,
          to,
          ...message('draft 2'),
        });
        assert.deepEqual([result.uid, result.expunged], [1, [[1, 1]]]);
        assert.equal((await store.open(inbox)).messages, 0);
        assert.equal(
          await readText(store, { snapshot: await store.open(to), uid: 1 as Uid }),
          'draft 2',
        );
        await fails(
          write({ op: 'replace', mailbox: inbox, uid, to, ...message() }),
          'NONEXISTENT',
          0,
        );
      }),
    );
  });

  describe('stages', () => {
    it(
      'refuse more than the limit: TOOBIG',
      withStore(open, async ({ store }) => {
        await fails(store.stage([octets('12345'), octets('67890')], { limit: 9 }), 'TOOBIG');
        assert.equal((await store.stage([octets('12345')], { limit: 5 })).size, 5);
      }),
    );

    it(
      'are counted for their owner, and leave room for others: LIMIT',
      withStore(open, async ({ store }) => {
        /** The most that would be taken from an owner now. */
        async function roomFor(owner: string): Promise<number> {
          let fits = 0;
          for (let step = 2 ** 40; step >= 1; step /= 2) {
            try {
              const { stage } = await store.stage([], { owner, sizeHint: fits + step });
              await store.discard(stage);
              fits += step;
            } catch (error) {
              assert.ok(isMailError(error, 'LIMIT'));
            }
          }
          return fits;
        }
        const free = await roomFor('greedy');
        // A store may well have no end.
        if (free > 2 ** 40) return;
        const { stage, size } = await store.stage([new Uint8Array(100_000)], { owner: 'greedy' });
        const left = await roomFor('greedy');
        assert.ok(left <= free - size);
        assert.ok((await roomFor('other')) > left);
        await store.discard(stage);
        assert.equal(await roomFor('greedy'), free);
      }),
    );

    it(
      'pass on an error of their source',
      withStore(open, async ({ store }) => {
        async function* broken() {
          yield octets('abc');
          throw new RangeError('the client went away');
        }
        await assert.rejects(store.stage(broken()), RangeError);
      }),
    );

    it(
      'are used up by a commit that succeeds, and still there after one that fails',
      withStore(open, async ({ store, append, write, open: look }) => {
        const first = await store.stage([octets('a')]);
        await append([first]);
        await fails(append([first]), 'UNAVAILABLE', 0);
        const second = await store.stage([octets('b')]);
        await fails(
          write({ op: 'append', mailbox: 'nowhere' as MailboxId, ...message([second]) }),
          'NONEXISTENT',
          0,
        );
        const uid = await append([second]);
        assert.equal(await readText(store, { snapshot: await look(), uid }), 'b');
        await fails(append([second]), 'UNAVAILABLE', 0);
      }),
    );

    it(
      'are used up by a repeat of a commit that was made',
      withStore(open, async ({ store, inbox }) => {
        const appended = async () => {
          const { stage } = await store.stage([octets('a')]);
          const write = { op: 'append' as const, mailbox: inbox, ...message([{ stage }]) };
          await store.commit([write], { id: 'x' });
          return stage;
        };
        for (const stage of [await appended(), await appended()]) {
          await fails(collect(store.read({ stage })), 'NONEXISTENT');
        }
      }),
    );

    it(
      'can be read until they are used up or discarded: NONEXISTENT',
      withStore(open, async ({ store, append }) => {
        const large = 'x'.repeat(99_999);
        const first = await store.stage([octets('ab'), octets('cde'), octets(large)]);
        assert.equal(await collect(store.read(first)), `abcde${large}`);
        assert.equal(await collect(store.read(first, 1, 4)), 'bcd');
        assert.equal(await collect(store.read(first, 100_003)), 'x');
        assert.equal(await collect(store.read(first, 200_000)), '');
        await append([first]);
        await fails(collect(store.read(first)), 'NONEXISTENT');
        const second = await store.stage([octets('c')]);
        await store.discard(second.stage);
        await fails(collect(store.read(second)), 'NONEXISTENT');
        await fails(collect(store.read({ stage: 'never-was' as StageId })), 'NONEXISTENT');
      }),
    );

    it(
      'can be discarded, more than once',
      withStore(open, async ({ store, append }) => {
        const { stage } = await store.stage([octets('a')]);
        await store.discard(stage);
        await store.discard(stage);
        await store.discard('never-was' as StageId);
        await fails(append([{ stage }]), 'UNAVAILABLE', 0);
      }),
    );

    it(
      'may be empty',
      withStore(open, async ({ store, append, open: look }) => {
        const { stage, size } = await store.stage([]);
        assert.equal(size, 0);
        const uid = await append([{ stage }]);
        assert.equal(await collect(store.read({ snapshot: await look(), uid })), '');
      }),
    );
  });
}
