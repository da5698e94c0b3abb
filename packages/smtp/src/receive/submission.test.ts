import { describe, expect, it } from 'vitest';
import {
  asId,
  createSaslClient,
  MailError,
  uidRanges,
  type AccountId,
  type Relay,
  type Uid,
  type Write,
} from '@mail-server-kit/core';
import { seededRandom } from '@mail-server-kit/core/testing';
import { anna, bert, idAt, lines, world } from './fixtures/world.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function greeted(options: Parameters<typeof world>[0] = {}) {
  const made = await world({ kind: 'submission', ...options });
  const talk = await made.talk({ secure: true });
  await talk`
    C: HELO c
    S: 250 mx.example.net greets c`;
  return { ...made, talk };
}

async function loggedIn(options: Parameters<typeof world>[0] = {}) {
  const made = await greeted(options);
  await made.talk`
    C: AUTH PLAIN ${base64('\0anna@example.net\0secret')}
    S: 235 2.7.0 Authentication successful`;
  return made;
}

describe('AUTH', () => {
  it('is asked for before MAIL', async () => {
    const { talk } = await greeted();
    await talk`
      C: MAIL FROM:<anna@example.net>
      S: 530 5.7.0 Authentication required
      C: RCPT TO:<bert@example.net>
      S: 503 5.5.1 MAIL first`;
  });

  it('PLAIN with its response at once, after two spaces, and after a challenge', async () => {
    for (const login of [
      `AUTH PLAIN ${base64('\0anna@example.net\0secret')}`,
      `auth plain  ${base64('\0anna@example.net\0secret')}`,
    ]) {
      const { talk } = await greeted();
      await talk`
        C: ${login}
        S: 235 2.7.0 Authentication successful
        C: AUTH PLAIN
        S: 503 5.5.1 Authenticated already`;
    }
    const { talk } = await greeted();
    await talk`
      C: AUTH PLAIN
      S: 334 ${''}
      C: ${base64('\0anna@example.net\0secret')}
      S: 235 2.7.0 Authentication successful`;
  });

  it('LOGIN with and without an initial response', async () => {
    const first = await greeted();
    await first.talk`
      C: AUTH LOGIN
      S: 334 ${base64('Username:')}
      C: ${base64(anna)}
      S: 334 ${base64('Password:')}
      C: ${base64('secret')}
      S: 235 2.7.0 Authentication successful`;
    const second = await greeted();
    await second.talk`
      C: AUTH LOGIN ${base64(anna)}
      S: 334 ${base64('Password:')}
      C: ${base64('secret')}
      S: 235 2.7.0 Authentication successful`;
  });

  it('SCRAM-SHA-256, whose last word goes as a challenge', async () => {
    const { dial } = await greeted();
    const stream = dial({ secure: true });
    const client = createSaslClient('SCRAM-SHA-256', {
      userName: anna,
      password: 'secret',
      random: seededRandom(2),
    });
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const line = async () => {
      while (!said.includes('\r\n')) await new Promise((resolve) => setImmediate(resolve));
      const end = said.indexOf('\r\n');
      const one = said.slice(0, end);
      said = said.slice(end + 2);
      return one;
    };
    await line();
    stream.write('HELO c\r\n');
    await line();
    const first = await client.step(undefined);
    stream.write(`AUTH SCRAM-SHA-256 ${Buffer.from(first!).toString('base64')}\r\n`);
    for (let i = 0; i < 2; i++) {
      const challenge = await line();
      expect(challenge).toMatch(/^334 [A-Za-z0-9+/=]+$/);
      const response = await client.step(Buffer.from(challenge.slice(4), 'base64'));
      stream.write(`${Buffer.from(response ?? new Uint8Array()).toString('base64')}\r\n`);
    }
    expect(await line()).toBe('235 2.7.0 Authentication successful');
  });

  it('a wrong password and an unknown user get the same answer, and the third ends the connection', async () => {
    const { talk } = await greeted();
    await talk`
      C: AUTH PLAIN ${base64('\0anna@example.net\0wrong')}
      S: 535 5.7.8 Authentication credentials invalid
      C: AUTH PLAIN ${base64('\0nobody@example.net\0wrong')}
      S: 535 5.7.8 Authentication credentials invalid
      C: AUTH LOGIN
      S: 334 ${base64('Username:')}
      C: ${base64(bert)}
      S: 334 ${base64('Password:')}
      C: ${base64('secret')}
      S: 535 5.7.8 Authentication credentials invalid
      S: 421 4.7.0 Too many failed logins`;
    await talk.closed();
  });

  it('what is not base64, cancelled, or not known', async () => {
    const { talk } = await greeted();
    await talk`
      C: AUTH PLAIN !!!!
      S: 501 5.5.2 That is not base64
      C: AUTH PLAIN AAA
      S: 501 5.5.2 That is not base64
      C: AUTH PLAIN AAA= x
      S: 501 5.5.4 Syntax: AUTH mechanism [initial-response]
      C: AUTH LOGIN
      S: 334 ${base64('Username:')}
      C: *
      S: 501 5.7.0 Authentication cancelled
      C: AUTH LOGIN
      S: 334 ${base64('Username:')}
      C: no base64
      S: 501 5.5.2 That is not base64
      C: AUTH PLAIN =
      S: 535 5.7.8 Authentication credentials invalid
      C: AUTH CRAM-MD5
      S: 504 5.5.4 Unrecognized authentication mechanism
      C: AUTH __proto__
      S: 504 5.5.4 Unrecognized authentication mechanism
      C: AUTH
      S: 504 5.5.4 Unrecognized authentication mechanism
      C: AUTH SCRAM-SHA-256-PLUS
      S: 504 5.5.4 Unrecognized authentication mechanism`;
  });

  it('trouble of the directory is 454', async () => {
    const { talk, directory } = await greeted();
    directory.login = () => Promise.reject(new MailError('UNAVAILABLE', 'database gone'));
    await talk`
      C: AUTH PLAIN ${base64('\0anna@example.net\0secret')}
      S: 454 4.7.0 Temporary authentication failure`;
  });
});

describe('a submission', () => {
  it('may have the sender’s own addresses only, or none', async () => {
    const { talk } = await loggedIn({
      people: { aliases: { 'sales@example.net': anna } },
    });
    await talk`
      C: MAIL FROM:<bert@example.net>
      S: 550 5.7.1 You may not send with this address
      C: MAIL FROM:<sales@example.net>
      S: 250 2.1.0 Sender accepted
      C: RSET
      S: 250 2.0.0 OK
      C: MAIL FROM:<>
      S: 250 2.1.0 Sender accepted`;
  });

  it('gets the Date and Message-ID that it lacks, and CRLF for LF', async () => {
    const { talk, mail, store } = await loggedIn();
    await talk`
      C: MAIL FROM:<anna@example.net> BODY=8BITMIME SIZE=100 AUTH=<>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>`;
    await talk.send('', 'Subject: a\nFrom: anna@example.net\n\n\u00e4\n.x\n\r\n.\r\n');
    await talk`S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect(await mail(bert)).toEqual([
      Buffer.from(
        lines(
          'Return-Path: <anna@example.net>',
          'Received: from c ([192.0.2.1])',
          `\tby mx.example.net with SMTPSA id ${idAt(0)}`,
          '\tfor <bert@example.net>;',
          '\tThu, 01 Jan 2026 00:00:00 +0000',
          'Date: Thu, 01 Jan 2026 00:00:00 +0000',
          `Message-ID: <${idAt(0)}@mx.example.net>`,
          'Subject: a',
          'From: anna@example.net',
          '',
          '\u00e4',
          '.x',
          '',
        ),
      ).toString('latin1'),
    ]);
    // What IMAP will show knows of the added fields.
    const inbox = (await store.mailboxes(asId<AccountId>('bert')))[0]!;
    const snapshot = await store.open(inbox.id);
    for await (const rows of store.fetch(snapshot, uidRanges([1 as Uid]), ['envelope'])) {
      expect(Buffer.from(rows[0]!.facts.envelope!).toString()).toContain(
        `"<${idAt(0)}@mx.example.net>"`,
      );
    }
  });

  it('keeps the Date and Message-ID that it has', async () => {
    const { talk, mail } = await loggedIn();
    await talk`
      C: MAIL FROM:<anna@example.net>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: date: Thu, 1 Jan 1970 00:00:00 +0000
      C: MESSAGE-ID : <mine@example.net>
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect((await mail(bert))[0]?.match(/^(date|message-id)/gim)).toEqual(['date', 'MESSAGE-ID']);
  });

  it('to another domain is refused in plain words where nothing is sent', async () => {
    const { talk } = await loggedIn({
      people: { aliases: { 'out@example.net': 'dora@example.com' } },
    });
    await talk`
      C: MAIL FROM:<anna@example.net>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<dora@example.com>
      S: 550 5.7.1 This server sends no mail to other domains
      C: RCPT TO:<out@example.net>
      S: 550 5.7.1 This server sends no mail to other domains`;
  });

  it('to another domain goes to the relay, in the same commit as the copies for ours', async () => {
    const queue: { envelope: unknown; content: readonly unknown[] }[] = [];
    const relay: Relay = {
      async admit(recipient) {
        if (recipient.forwardPath.domain === 'full.example')
          throw new MailError('LIMIT', 'Enough for today');
      },
      enqueue(envelope, content): readonly Write[] {
        queue.push({ envelope, content });
        return [
          {
            op: 'putRecord',
            space: 'queue',
            key: String(queue.length),
            value: Buffer.from('{}'),
            content,
          },
        ];
      },
    };
    const { talk, mail, store } = await loggedIn({ relay });
    await talk`
      C: MAIL FROM:<anna@example.net> RET=HDRS ENVID=a+2Bb
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<dora@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;dora+40example.com
      S: 250 2.1.5 Recipient accepted
      C: RCPT TO:<x@full.example>
      S: 452 4.5.3 Enough for today
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect(queue[0]?.envelope).toEqual({
      reversePath: { localPart: 'anna', domain: 'example.net' },
      ret: 'HDRS',
      envelopeId: 'a+b',
      recipients: [
        {
          forwardPath: { localPart: 'dora', domain: 'example.com' },
          notify: ['success', 'failure'],
          originalRecipient: { type: 'rfc822', address: 'dora@example.com' },
        },
      ],
    });
    const parts: Uint8Array[] = [];
    for await (const part of store.read({ space: 'queue', key: '1' })) parts.push(part);
    // No Return-Path on mail that goes on, and no `for` with two recipients.
    expect(Buffer.concat(parts).toString()).toBe(
      lines(
        'Received: from c ([192.0.2.1])',
        `\tby mx.example.net with SMTPSA id ${idAt(0)};`,
        '\tThu, 01 Jan 2026 00:00:00 +0000',
        'Date: Thu, 01 Jan 2026 00:00:00 +0000',
        `Message-ID: <${idAt(0)}@mx.example.net>`,
        'Subject: a',
      ),
    );
    expect(await mail(bert)).toHaveLength(1);
  });
});

it('an MX takes submissions of those who log in, to anywhere', async () => {
  const { talk } = await greeted({
    kind: 'mx',
    relay: { admit: async () => {}, enqueue: () => [] },
  });
  await talk`
    C: MAIL FROM:<carl@example.org>
    S: 250 2.1.0 Sender accepted
    C: RCPT TO:<dora@example.com>
    S: 550 5.7.1 Relaying denied
    C: AUTH PLAIN ${base64('\0anna@example.net\0secret')}
    S: 503 5.5.1 Not within a transaction
    C: RSET
    S: 250 2.0.0 OK
    C: AUTH PLAIN ${base64('\0anna@example.net\0secret')}
    S: 235 2.7.0 Authentication successful
    C: MAIL FROM:<carl@example.org>
    S: 550 5.7.1 You may not send with this address
    C: MAIL FROM:<anna@example.net>
    S: 250 2.1.0 Sender accepted
    C: RCPT TO:<dora@example.com>
    S: 250 2.1.5 Recipient accepted`;
});
