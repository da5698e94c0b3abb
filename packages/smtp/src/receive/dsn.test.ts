import { describe, expect, it } from 'vitest';
import {
  asId,
  discard,
  MailError,
  type AccountId,
  type Content,
  type Envelope,
  type Relay,
  type Write,
} from '@mail-server-kit/core';
import type { Transcript } from '@mail-server-kit/core/testing';
import { anna, bert, idAt, lines, world } from './fixtures/world.ts';

/** Someone who is in the middle of a transaction from anna, over LMTP: it needs no login. */
async function begun(
  options: Parameters<typeof world>[0] = {},
  mail = 'MAIL FROM:<anna@example.net>',
) {
  const made = await world({ kind: 'lmtp', ...options });
  const talk = await made.talk();
  const { kind = 'lmtp' } = options;
  if (kind === 'lmtp') {
    await talk`
      C: LHLO c
      S: 250-mx.example.net greets c
      S: 250-PIPELINING
      S: 250-SIZE 52428800
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-DSN
      S: 250 CHUNKING`;
  } else {
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c`;
  }
  await talk`
    C: ${mail}
    S: 250 2.1.0 Sender accepted`;
  return { ...made, talk };
}

async function to(talk: Transcript, ...recipients: readonly string[]): Promise<void> {
  for (const one of recipients) {
    await talk`
      C: RCPT TO:${one}
      S: 250 2.1.5 Recipient accepted`;
  }
}

async function send(talk: Transcript): Promise<void> {
  await talk`
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: Lunch
    C: Message-ID: <lunch@example.net>
    C:
    C: At noon?
    C: .
    S: 250 2.0.0 Accepted as ${idAt(0)}`;
}

function queue() {
  const queued: { envelope: Envelope; text: string }[] = [];
  const relay: Relay = {
    admit: async () => {},
    enqueue(envelope: Envelope, content: Content): readonly Write[] {
      const text = content.map((slice) =>
        slice instanceof Uint8Array ? Buffer.from(slice).toString() : '',
      );
      queued.push({ envelope, text: text.join('') });
      const value = Buffer.from('{}');
      return [{ op: 'putRecord', space: 'queue', key: String(queued.length), value, content }];
    },
  };
  return { queued, relay };
}

const received = '\r\n\tby mx.example.net with LMTP id ';

describe('who asks for it is told of a delivery', () => {
  it('in a report that names each recipient who was to be reported, and shows the header', async () => {
    const { talk, mail } = await begun({}, 'MAIL FROM:<anna@example.net> RET=FULL ENVID=a+2Bb');
    await to(
      talk,
      '<Bert@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bert+2Blunch@example.net',
    );
    await send(talk);
    expect((await mail(bert))[0]).toContain(received);
    expect(await mail(anna)).toEqual([
      lines(
        'Return-Path: <>',
        'From: Mail Delivery System <postmaster@mx.example.net>',
        'To: <anna@example.net>',
        'Subject: Your message was delivered',
        'Date: Thu, 01 Jan 2026 00:00:00 +0000',
        `Message-ID: <${idAt(0)}.dsn@mx.example.net>`,
        'In-Reply-To: <lunch@example.net>',
        'References: <lunch@example.net>',
        'Auto-Submitted: auto-replied',
        'MIME-Version: 1.0',
        'Content-Type: multipart/report; report-type=delivery-status;',
        `\tboundary="=_${idAt(0)}"`,
        '',
        '',
        `--=_${idAt(0)}`,
        'Content-Type: text/plain; charset=us-ascii',
        '',
        'This is the mail system at mx.example.net, which you asked for this report.',
        '',
        'Your message is in the mailbox of:',
        '',
        '    Bert@example.net',
        '',
        `--=_${idAt(0)}`,
        'Content-Type: message/delivery-status',
        '',
        'Original-Envelope-Id: a+b',
        'Reporting-MTA: dns; mx.example.net',
        'Arrival-Date: Thu, 01 Jan 2026 00:00:00 +0000',
        '',
        'Original-Recipient: rfc822; bert+lunch@example.net',
        'Final-Recipient: rfc822; Bert@example.net',
        'Action: delivered',
        'Status: 2.1.5',
        '',
        `--=_${idAt(0)}`,
        'Content-Type: text/rfc822-headers',
        '',
        'Subject: Lunch',
        'Message-ID: <lunch@example.net>',
        '',
        `--=_${idAt(0)}--`,
      ),
    ]);
  });

  it('and nobody else', async () => {
    const { talk, mail } = await begun();
    await to(talk, '<bert@example.net> NOTIFY=NEVER');
    await send(talk);
    await talk`
      C: MAIL FROM:<anna@example.net>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<bert@example.net> NOTIFY=FAILURE,DELAY
      S: 250 2.1.5 Recipient accepted
      C: RCPT TO:<Bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: .
      S: 250 2.0.0 Accepted as ${idAt(1)}
      S: 250 2.0.0 Accepted as ${idAt(1)}
      C: MAIL FROM:<>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<bert@example.net> NOTIFY=SUCCESS
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: .
      S: 250 2.0.0 Accepted as ${idAt(2)}`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([0, 3]);
  });

  it('in one report for several, without those who refused it', async () => {
    const { talk, mail, store } = await begun();
    await to(
      talk,
      '<anna@example.net> NOTIFY=SUCCESS',
      '<bert@example.net> NOTIFY=SUCCESS',
      '<Anna@example.net> NOTIFY=SUCCESS',
    );
    await store.commit([
      { op: 'setAccount', account: asId<AccountId>('bert'), limits: { octets: 10 } },
    ]);
    await talk`
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: Lunch
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 452 4.2.2 The mailbox is full
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    const [message, report, ...more] = await mail(anna);
    expect(message).toContain('Subject: Lunch');
    expect(report?.match(/^Final-Recipient: .*$/gm)).toEqual([
      'Final-Recipient: rfc822; anna@example.net',
      'Final-Recipient: rfc822; Anna@example.net',
    ]);
    expect(more).toEqual([]);
  });

  it('not of what a filter threw away', async () => {
    const { talk, mail } = await begun({ filters: [{ name: 'f', message: () => discard }] });
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await send(talk);
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([0, 0]);
  });

  it('in UTF-8 where the addresses or the header are (RFC 6533)', async () => {
    const people = {
      accounts: [
        { address: 'jürgen@bücher.example', password: 'secret', id: asId<AccountId>('anna') },
        { address: bert, password: 'secret', id: asId<AccountId>('bert') },
      ],
    };
    const { talk, mail } = await begun(
      { people },
      'MAIL FROM:<jürgen@bücher.example> SMTPUTF8 BODY=8BITMIME',
    );
    await to(
      talk,
      '<jürgen@bücher.example> NOTIFY=SUCCESS ORCPT=utf-8;j\\x{FC}rgen\\x{0A}x@b\\x{FC}cher.example',
    );
    await talk`
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: Grüße
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    const report = Buffer.from((await mail('jürgen@bücher.example'))[1]!, 'latin1').toString();
    expect(report).toContain('\r\nTo: <jürgen@xn--bcher-kva.example>\r\n');
    expect(report).toContain(
      lines(
        'Content-Type: message/global-delivery-status',
        'Content-Transfer-Encoding: 8bit',
        '',
        'Reporting-MTA: dns; mx.example.net',
        'Arrival-Date: Thu, 01 Jan 2026 00:00:00 +0000',
        '',
        // What would end the field stays as it was written.
        'Original-Recipient: utf-8; jürgen\\x{0A}x@bücher.example',
        'Final-Recipient: utf-8; jürgen@bücher.example',
        'Action: delivered',
        'Status: 2.1.5',
        '',
        `--=_${idAt(0)}`,
        'Content-Type: message/global-headers',
        'Content-Transfer-Encoding: 8bit',
        '',
        'Subject: Grüße',
        '',
        `--=_${idAt(0)}--`,
      ),
    );
  });
});

describe('a report shows the header', () => {
  const partsOf = async (message: string) => {
    const { talk, mail } = await begun();
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await talk.send('', `BDAT ${message.length} LAST\r\n${message}`);
    await talk`
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    const [report = ''] = await mail(anna);
    return report.split(`\r\n--=_${idAt(0)}`).slice(1, -1);
  };

  it.each([
    ['of a message without a body', 'Subject: a\r\n', 'Subject: a\r\n'],
    ['of one that does not even end', 'Subject: a', 'Subject: a\r\n'],
    ['of a message with an empty one', 'Subject: a\r\n\r\n', 'Subject: a\r\n'],
    ['up to its last whole line', `A: b\r\nC: ${'d'.repeat(70_000)}\r\n\r\ntext`, 'A: b\r\n'],
    ['up to 64 KiB', `${'A: b\r\n'.repeat(20_000)}\r\ntext`, 'A: b\r\n'.repeat(10_922)],
  ])('%s', async (_which, message, header) => {
    expect((await partsOf(message))[2]).toBe(
      `\r\nContent-Type: text/rfc822-headers\r\n\r\n${header}`,
    );
  });

  it.each([
    ['there is none', '\r\ntext'],
    ['there is nothing', ''],
  ])('not if %s', async (_which, message) => {
    expect(await partsOf(message)).toHaveLength(2);
  });
});

describe('a report to a sender here', () => {
  it('is made for a stranger too, since it does not leave, but shows nothing that he wrote', async () => {
    const { talk, mail } = await begun({ kind: 'mx' });
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await send(talk);
    const reports = await mail(anna);
    expect(reports).toHaveLength(1);
    expect(reports[0]).toContain('Action: delivered');
    expect(reports[0]).not.toContain('rfc822-headers');
    expect(reports[0]).not.toContain('Subject: Lunch');
  });
});

describe('a report to another server', () => {
  it('is queued in the commit of the message, from the null reverse-path', async () => {
    const { queued, relay } = queue();
    const { talk, mail, store } = await begun({ relay }, 'MAIL FROM:<carl@example.org>');
    const commits: number[] = [];
    const commit = store.commit.bind(store);
    Object.assign(store, {
      commit: (...given: Parameters<typeof commit>) => {
        commits.push(given[0].length);
        return commit(...given);
      },
    });
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await send(talk);
    expect(commits).toEqual([2]);
    expect(queued.map(({ envelope }) => envelope)).toEqual([
      {
        reversePath: undefined,
        recipients: [
          { forwardPath: { localPart: 'carl', domain: 'example.org' }, notify: 'never' },
        ],
      },
    ]);
    // Where it is delivered, somebody else says from whom.
    expect(queued[0]?.text).toMatch(/^From: Mail Delivery System /);
    expect(await mail(bert)).toHaveLength(1);
  });

  it.each([
    ['for a stranger, whose reverse-path may be forged', 'mx', '550 5.7.1 Relaying denied'],
    ['where nothing is sent', 'lmtp', '550 5.7.1 This server sends no mail to other domains'],
  ] as const)('is not made %s, and the log says so', async (_why, kind, reason) => {
    const { queued, relay } = queue();
    const { talk, mail, events } = await begun(
      { kind, ...(kind === 'mx' && { relay }) },
      'MAIL FROM:<carl@example.org>',
    );
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await send(talk);
    expect(await mail(bert)).toHaveLength(1);
    expect(queued).toEqual([]);
    expect(events.filter(({ event }) => event === 'report not sent')).toMatchObject([
      { id: idAt(0), reason },
    ]);
  });

  it('is left to that server where the message goes on, with all that was asked for', async () => {
    const { queued, relay } = queue();
    const { talk, mail } = await begun(
      { relay, people: { aliases: { 'out@example.net': 'dora@example.com' } } },
      'MAIL FROM:<anna@example.net> RET=HDRS ENVID=x',
    );
    await to(talk, '<out@example.net> NOTIFY=SUCCESS ORCPT=rfc822;out@example.net');
    await send(talk);
    expect(queued[0]?.envelope).toEqual({
      reversePath: { localPart: 'anna', domain: 'example.net' },
      ret: 'HDRS',
      envelopeId: 'x',
      recipients: [
        {
          forwardPath: { localPart: 'dora', domain: 'example.com' },
          notify: ['success'],
          originalRecipient: { type: 'rfc822', address: 'out@example.net' },
        },
      ],
    });
    expect(await mail(anna)).toEqual([]);
  });

  it('is none where an alias has several: here it is told that it went on (RFC 3461 section 5.2.7.3)', async () => {
    const { queued, relay } = queue();
    const { talk, mail } = await begun({
      relay,
      people: { aliases: { 'all@example.net': [bert, 'dora@example.com'] } },
    });
    await to(talk, '<all@example.net> NOTIFY=SUCCESS,DELAY');
    await send(talk);
    expect(queued.flatMap(({ envelope }) => envelope.recipients)).toEqual([
      { forwardPath: { localPart: 'dora', domain: 'example.com' }, notify: ['delay'] },
    ]);
    expect((await mail(anna))[0]).toContain(
      lines('Final-Recipient: rfc822; all@example.net', 'Action: expanded', 'Status: 2.1.5'),
    );
    expect(await mail(bert)).toHaveLength(1);
  });
});

describe('a report that cannot be filed', () => {
  it('for want of room does the message no harm', async () => {
    const { talk, mail, store, events } = await begun();
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await store.commit([
      { op: 'setAccount', account: asId<AccountId>('anna'), limits: { octets: 300 } },
    ]);
    await send(talk);
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([0, 1]);
    expect(events.slice(-2)).toMatchObject([
      { event: 'report not filed', level: 'warn', error: { code: 'OVERQUOTA' } },
      { event: 'message received' },
    ]);
  });

  it('because the directory does not answer makes the client come again', async () => {
    const { talk, mail, directory } = await begun();
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    directory.resolve = async () => {
      throw new MailError('UNAVAILABLE', 'no database');
    };
    await talk`
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: .
      S: 451 4.3.0 Local error in processing, try again later`;
    expect(await mail(bert)).toEqual([]);
  });

  it('for a full mailbox is not even tried', async () => {
    const { talk, mail, store, events } = await begun();
    await to(talk, '<bert@example.net> NOTIFY=SUCCESS');
    await store.commit([
      { op: 'setAccount', account: asId<AccountId>('anna'), limits: { octets: 0 } },
    ]);
    await send(talk);
    expect(await mail(bert)).toHaveLength(1);
    expect(events.at(-2)).toMatchObject({ reason: '452 4.2.2 The mailbox is full' });
  });
});

it('ENVID is ASCII, or the report could not repeat it', async () => {
  const { talk } = await begun();
  await talk`
    C: RSET
    S: 250 2.0.0 OK
    C: MAIL FROM:<anna@example.net> ENVID=+C3+BC
    S: 501 5.5.4 ENVID is xtext of at most 100 characters`;
});
