import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { clients, plain, setting } from './fixtures/clients.ts';
import { allExtensions, bad, command, nothing, type Extension } from './index.ts';

/** Everything that one file of somebody else can add. */
const parity: Extension = {
  capabilities: ['X-PARITY'],
  commands: [
    command({
      name: 'XTWICE',
      state: 'selected',
      uid: true,
      parse: (read) => {
        const word = read.astring();
        read.end();
        return { word };
      },
      async run({ args, uid, respond, session }) {
        if (args.word === 'no') throw bad('Not this word');
        respond.untagged(`XTWICE ${args.word} ${args.word} of ${session.view.messages}`);
        return uid ? 'Twice by uid' : undefined;
      },
    }),
    command({ name: 'XNOTHING', state: 'any', parse: nothing, run: async () => {} }),
  ],
  fetchItems: [
    {
      name: 'X-PARITY',
      parse: () => ({
        write: ({ rows, respond }) =>
          void respond.out.text(`X-PARITY ${rows.uid % 2 === 0 ? 'EVEN' : 'ODD'}`),
      }),
    },
  ],
  searchKeys: [
    { name: 'X-EVEN', parse: () => ({ kind: 'columns', on: () => (rows) => rows.uid % 2 === 0 }) },
  ],
  statusItems: [{ name: 'X-HALF', value: (info) => Math.floor(info.messages / 2) }],
};

describe('an extension', () => {
  it('is an object of rows, also somebody else’s', async () => {
    const talk = await clients(
      1,
      { INBOX: [plain, plain, plain] },
      { extensions: [...allExtensions, parity] },
    );
    await talk`
      C: a UID XTWICE "so"
      S: * XTWICE so so of 3
      S: a OK Twice by uid
      C: b XTWICE no
      S: b BAD Not this word
      C: c FETCH 1:2 (UID X-PARITY)
      S: * 1 FETCH (UID 1 X-PARITY ODD)
      S: * 2 FETCH (UID 2 X-PARITY EVEN)
      S: c OK FETCH completed
      C: d SEARCH NOT X-EVEN
      S: * SEARCH 1 3
      S: d OK SEARCH completed
      C: e STATUS INBOX (X-HALF)
      S: * STATUS INBOX (X-HALF 1)
      S: e OK STATUS completed
      C: f UID XNOTHING
      S: f BAD Unknown command UID XNOTHING`;
  });

  it('that is left out is not there', async () => {
    const talk = await clients(1, { INBOX: [plain] }, { extensions: [] });
    await talk`
      C: a CAPABILITY
      S: * CAPABILITY IMAP4rev1 IMAP4rev2
      S: a OK CAPABILITY completed
      C: b IDLE
      S: b BAD Unknown command IDLE
      C: c FETCH 1 MODSEQ
      S: c BAD Unknown FETCH item MODSEQ
      C: d STORE 1 (UNCHANGEDSINCE 1) FLAGS ()
      S: d BAD Unknown STORE modifier`;
  });

  it('cannot take a name that another one has', async () => {
    await assert.rejects(setting({ extensions: [...allExtensions, parity, parity] }), {
      name: 'TypeError',
      message: 'two extensions have the command XTWICE',
    });
  });
});
