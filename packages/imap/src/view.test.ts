import assert from 'node:assert/strict';
import type { Uid } from '@mail-server-kit/core';
import { seededRandom } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { answerOf, clients, plain, setting } from './fixtures/clients.ts';

describe('sequence numbers', () => {
  it('stay while FETCH, STORE and SEARCH with numbers are in progress (RFC 9051 section 7.5.1)', async () => {
    const talk = await clients(2, { INBOX: [plain, plain, plain, plain] });
    await talk`
      C2: a UID EXPUNGE 1:4
      S2: a OK UID EXPUNGE completed
      C2: b STORE 2 +FLAGS.SILENT (\Deleted)
      S2: b OK STORE completed
      C2: c EXPUNGE
      S2: * 2 EXPUNGE
      S2: c OK EXPUNGE completed
      C1: a FETCH 3:4 UID
      S1: * 3 FETCH (UID 3)
      S1: * 4 FETCH (UID 4)
      S1: a OK FETCH completed
      C1: b FETCH 1:3 UID
      S1: * 1 FETCH (UID 1)
      S1: * 3 FETCH (UID 3)
      S1: b NO [EXPUNGEISSUED] Some of the messages are no longer there
      C1: c STORE 4 +FLAGS (\Seen)
      S1: * 4 FETCH (FLAGS (\Seen))
      S1: c OK STORE completed
      C1: d SEARCH ALL
      S1: * SEARCH 1 3 4
      S1: d OK SEARCH completed
      C1: e COPY 2 INBOX
      S1: * 2 EXPUNGE
      S1: e NO [EXPUNGEISSUED] Some of the messages are no longer there
      C1: f SEARCH SEEN
      S1: * SEARCH 3
      S1: f OK SEARCH completed`;
  });

  it('may change after UID commands', async () => {
    const talk = await clients(2, { INBOX: [plain, plain] });
    await talk`
      C2: a STORE 1 +FLAGS.SILENT (\Deleted)
      S2: a OK STORE completed
      C2: b EXPUNGE
      S2: * 1 EXPUNGE
      S2: b OK EXPUNGE completed
      C1: a UID FETCH 2 FLAGS
      S1: * 2 FETCH (UID 2 FLAGS ())
      S1: * 1 EXPUNGE
      S1: a OK UID FETCH completed`;
  });

  it('new messages are told with the next command, after what went', async () => {
    const talk = await clients(1, { INBOX: [plain, plain] });
    const { store, mailbox, append } = talk.setting;
    const { id } = await mailbox('INBOX');
    await store.commit([{ op: 'expunge', mailbox: id, uids: [[1 as Uid, 1 as Uid]] }]);
    await append('INBOX', plain, plain);
    await talk`
      C: a FETCH 2 UID
      S: * 4 EXISTS
      S: * 2 RECENT
      S: * 2 FETCH (UID 2)
      S: a OK FETCH completed
      C: b NOOP
      S: * 1 EXPUNGE
      S: b OK NOOP completed
      C: c FETCH 3 UID
      S: * 3 FETCH (UID 4)
      S: c OK FETCH completed`;
  });

  it('a mailbox that was deleted ends the connection of those who have it selected', async () => {
    const talk = await clients(2, { INBOX: [], Work: [plain] });
    await talk.send('2', 'a SELECT Work\r\n');
    await talk`
      S2: * OK [CLOSED] Previous mailbox is now closed
      S2: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
      S2: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags and new keywords are kept
      S2: * 1 EXISTS
      S2: * 0 RECENT
      S2: * OK [UNSEEN 1] First unseen
      S2: * OK [UIDVALIDITY 2] UIDs valid
      S2: * OK [UIDNEXT 2] Predicted next UID
      S2: * OK [HIGHESTMODSEQ 3] Highest modification sequence
      S2: a OK [READ-WRITE] SELECT completed
      C1: a DELETE Work
      S1: a OK DELETE completed
      C2: b NOOP
      S2: * BYE The selected mailbox was deleted`;
    await talk.closed('2');
  });
});

/** What a client believes, from nothing but what the server says. */
class Believer {
  uids: (number | undefined)[] = [];
  flags = new Map<number, string>();

  hear(said: string): void {
    for (const line of said.split('\r\n')) {
      const [, number, what] = /^\* (\d+) (EXISTS|EXPUNGE|FETCH)/.exec(line) ?? [];
      if (what === 'EXISTS') {
        assert.ok(Number(number) >= this.uids.length, 'EXISTS never shrinks');
        while (this.uids.length < Number(number)) this.uids.push(undefined);
      } else if (what === 'EXPUNGE') {
        assert.ok(Number(number) <= this.uids.length, line);
        this.uids.splice(Number(number) - 1, 1);
      } else if (what === 'FETCH') {
        const index = Number(number) - 1;
        const uid = Number(/UID (\d+)/.exec(line)?.[1] ?? this.uids[index]);
        assert.ok(index < this.uids.length, line);
        if (!Number.isNaN(uid)) {
          assert.ok(this.uids[index] === undefined || this.uids[index] === uid, line);
          this.uids[index] = uid;
          const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1];
          if (flags !== undefined) this.flags.set(uid, flags.split(' ').sort().join(' '));
        }
      }
    }
  }
}

describe('several clients that change one mailbox', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`all come to believe what is there (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      const { client, store, mailbox, append } = await setting({
        mailboxes: { INBOX: Array.from({ length: 20 }, () => plain), Other: [] },
      });
      const streams = await Promise.all([1, 2, 3].map(() => client()));
      const believers = streams.map(() => new Believer());
      const ask = async (who: number, line: string): Promise<void> => {
        const stream = streams[who]!;
        const believer = believers[who]!;
        stream.write(`t ${line}\r\n`);
        const said = await answerOf(stream, 't');
        if (/^(?:FETCH|STORE|SEARCH) /.test(line)) assert.ok(!said.includes('EXPUNGE\r\n'), said);
        believer.hear(said);
      };
      for (let who = 0; who < 3; who++) await ask(who, 'SELECT INBOX');
      for (let step = 0; step < 150; step++) {
        const who = random.integer(3);
        const count = believers[who]!.uids.length;
        const one = 1 + random.integer(Math.max(1, count));
        const other = 1 + random.integer(Math.max(1, count));
        const set = count === 0 ? '1:*' : `${one}:${other}`;
        const flag = random.pick(['\\Seen', '\\Deleted', '\\Flagged', 'k']);
        const line = random.pick([
          'NOOP',
          `FETCH ${set} (UID FLAGS)`,
          `STORE ${set} ${random.pick(['+', '-', ''])}FLAGS (${flag})`,
          `UID STORE ${one}:${other + 20} ${random.pick(['+', '-'])}FLAGS (${flag})`,
          `SEARCH ${flag === '\\Seen' ? 'SEEN' : 'ALL'}`,
          'EXPUNGE',
          `UID EXPUNGE ${one}:${other}`,
          `MOVE ${one} Other`,
          `COPY ${one} INBOX`,
        ]);
        if (random.chance(0.1)) await append('INBOX', plain);
        await ask(who, line);
      }
      const { blocks } = await store.open((await mailbox('INBOX')).id);
      const truth = blocks.flatMap(({ uid }) => [...uid]);
      for (let who = 0; who < 3; who++) {
        await ask(who, 'NOOP');
        const told = new Map(believers[who]!.flags);
        await ask(who, 'FETCH 1:* (UID FLAGS)');
        assert.deepEqual(believers[who]!.uids, truth);
        for (const uid of truth) {
          const known = told.get(uid);
          if (known !== undefined)
            assert.equal(known, believers[who]!.flags.get(uid), `uid ${uid}`);
        }
      }
    });
  }
});
