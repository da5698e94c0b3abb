import { describe, expect, it } from 'vitest';
import {
  asId,
  MailError,
  proceed,
  reject,
  type AccountId,
  type MailStore,
} from '@mail-server-kit/core';
import { createMemoryStore } from '@mail-server-kit/storage';
import { anna, bert, idAt, world } from './fixtures/world.ts';

const account = (name: string) => asId<AccountId>(name);

async function greeted(options: Parameters<typeof world>[0]) {
  const made = await world({ kind: 'lmtp', ...options });
  const talk = await made.talk();
  await talk`
    C: LHLO neighbour
    S: 250-mx.example.net greets neighbour
    S: 250-PIPELINING
    S: 250-SIZE 52428800
    S: 250-ENHANCEDSTATUSCODES
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-DSN
    S: 250 CHUNKING
    C: MAIL FROM:<carl@example.org>
    S: 250 2.1.0 Sender accepted
    C: RCPT TO:<anna@example.net>
    S: 250 2.1.5 Recipient accepted`;
  return { ...made, talk };
}

describe('LMTP', () => {
  it('answers for each recipient that was accepted, in their order, repeated ones too', async () => {
    const { talk, mail } = await greeted({});
    await talk`
      C: RCPT TO:<nobody@example.net>
      S: 550 5.1.1 No such recipient here
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: RCPT TO:<Anna@EXAMPLE.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 250 2.0.0 Accepted as ${idAt(0)}
      C: QUIT
      S: 221 2.0.0 Bye`;
    expect(await mail(anna)).toHaveLength(1);
    expect((await mail(bert))[0]).toContain('\r\n\tby mx.example.net with LMTP id ');
  });

  it('does not speak SMTP, and sends nothing elsewhere', async () => {
    const { talk } = await greeted({});
    await talk`
      C: EHLO c
      S: 500 5.5.1 EHLO is not for this service
      C: HELO c
      S: 500 5.5.1 HELO is not for this service
      C: AUTH PLAIN
      S: 502 5.5.1 AUTH is not offered
      C: RCPT TO:<dora@example.com>
      S: 550 5.7.1 Relaying denied`;
  });

  it('a full mailbox keeps nothing from the others', async () => {
    const { talk, mail, store } = await greeted({});
    await store.commit([{ op: 'setAccount', account: account('bert'), limits: { octets: 100 } }]);
    await talk`
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: ${'x'.repeat(200)}
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 452 4.2.2 The mailbox is full`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([1, 0]);
  });

  it('nor does one that fills up at the very last moment', async () => {
    const { talk, mail, store } = await greeted({ store: createMemoryStore() });
    await store.commit([{ op: 'setAccount', account: account('bert'), limits: { octets: 60 } }]);
    // As if it had been empty when it was asked.
    const usage = store.usage.bind(store);
    Object.assign(store, {
      usage: async (of: AccountId) => ({ ...(await usage(of)), limits: {} }),
    });
    await talk`
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 452 4.2.2 The mailbox is full`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([1, 0]);
  });

  it('a filter of one recipient answers for that one only', async () => {
    const { talk, mail } = await greeted({
      filters: [
        {
          name: 'no mail for bert',
          deliver: ({ recipient }) =>
            recipient.forwardPath.localPart === 'bert'
              ? reject(550, '5.7.1', 'Bert wants none of it')
              : proceed,
        },
      ],
    });
    await talk`
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 550 5.7.1 Bert wants none of it`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([1, 0]);
  });
});

describe('a store in trouble', () => {
  const failing = (error: () => Error): MailStore => {
    const store = createMemoryStore();
    const commit = store.commit.bind(store);
    return Object.assign(store, {
      commit: async (...args: Parameters<MailStore['commit']>) => {
        if (args[0].some(({ op }) => op === 'append')) throw error();
        return commit(...args);
      },
    });
  };

  it.each([
    ['UNAVAILABLE', new MailError('UNAVAILABLE', 'disk full')],
    ['NONEXISTENT', new MailError('NONEXISTENT', 'gone', { write: 0 })],
    ['CORRUPTION', new MailError('CORRUPTION', 'rotten')],
    ['a bug', new TypeError('undefined is not a function')],
  ])('never is a 5xx: %s', async (_name, error) => {
    const { talk } = await greeted({ store: failing(() => error) });
    await talk`
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 451 4.3.0 Local error in processing, try again later
      C: NOOP
      S: 250 2.0.0 OK`;
  });

  it('is asked again with the same id while the outcome is not known, and then there is one copy', async () => {
    const store = createMemoryStore();
    const commit = store.commit.bind(store);
    let asked = 0;
    const unsure: MailStore = Object.assign(store, {
      commit: async (...args: Parameters<MailStore['commit']>) => {
        const result = await commit(...args);
        if (args[0].some(({ op }) => op === 'append') && asked++ === 0) {
          throw new MailError('UNKNOWN', 'the answer was lost');
        }
        return result;
      },
    });
    const { talk, mail, clock } = await greeted({ store: unsure });
    await talk`
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .`;
    await clock.advance(100);
    await talk`S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect(asked).toBe(2);
    expect(await mail(anna)).toHaveLength(1);
  });
});
