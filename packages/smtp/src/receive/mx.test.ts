import { describe, expect, it } from 'vitest';
import { asId, MailError, type AccountId } from '@mail-server-kit/core';
import { anna, bert, idAt, lines, world } from './fixtures/world.ts';

describe('an MX', () => {
  it('takes a message for one of ours and puts trace fields on top', async () => {
    const { talk: begin, mail } = await world();
    const talk = await begin();
    await talk`
      C: EHLO client.example.org
      S: 250-mx.example.net greets client.example.org
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
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: Hello
      C:
      C: ..dotted
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}
      C: QUIT
      S: 221 2.0.0 Bye`;
    await talk.closed();
    expect(await mail(anna)).toEqual([
      lines(
        'Return-Path: <carl@example.org>',
        'Received: from client.example.org ([192.0.2.1])',
        `\tby mx.example.net with ESMTP id ${idAt(0)}`,
        '\tfor <anna@example.net>;',
        '\tThu, 01 Jan 2026 00:00:00 +0000',
        'Subject: Hello',
        '',
        '.dotted',
      ),
    ]);
  });

  it('puts an empty line in front of a text without a header, so that readers see it', async () => {
    const { talk: begin, mail } = await world();
    const talk = await begin();
    await talk`
      C: HELO client.example.org
      S: 250 mx.example.net greets client.example.org`;
    for (const text of ['hello', ' hello', 'Subject: hello']) {
      await talk`
        C: MAIL FROM:<carl@example.org>
        S: 250 2.1.0 Sender accepted
        C: RCPT TO:<anna@example.net>
        S: 250 2.1.5 Recipient accepted
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: ${text}
        C: .
        S: 250 2.0.0 Accepted as ${idAt((await mail(anna)).length)}`;
    }
    const stored = await mail(anna);
    expect(stored.map((one) => one.slice(one.indexOf('+0000') + 5))).toEqual([
      '\r\n\r\nhello\r\n',
      '\r\n\r\n hello\r\n',
      '\r\nSubject: hello\r\n',
    ]);
  });

  it('refuses strangers and unknown recipients at RCPT', async () => {
    const talk = await greeted();
    await talk`
      C: MAIL FROM:<>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<nobody@example.net>
      S: 550 5.1.1 No such recipient here
      C: RCPT TO:<dora@example.com>
      S: 550 5.7.1 Relaying denied
      C: RCPT TO:<anna%example.com@example.net>
      S: 550 5.1.1 No such recipient here
      C: RCPT TO:<@example.net:dora@example.com>
      S: 550 5.7.1 Relaying denied
      C: RCPT TO:<"anna@example.net"@example.com>
      S: 550 5.7.1 Relaying denied
      C: RCPT TO:<anna@[127.0.0.1]>
      S: 550 5.7.1 Relaying denied
      C: DATA
      S: 503 5.5.1 RCPT first`;
  });

  it('reads commands in any letter case, with spaces where people put them', async () => {
    const talk = await greeted();
    await talk`
      C: mail from: <carl@example.org>  size=100  BODY=8bitmime ${''}
      S: 250 2.1.0 Sender accepted
      C: rCpT tO: <ANNA@Example.NET>
      S: 250 2.1.5 Recipient accepted
      C: noop hello
      S: 250 2.0.0 OK
      C: rset
      S: 250 2.0.0 OK
      C: VRFY anna
      S: 252 2.0.0 Send a message and see
      C: VRFY
      S: 501 5.5.4 Syntax: VRFY address
      C: EXPN list
      S: 502 5.5.1 EXPN is not implemented
      C: HELP
      S: 214 2.0.0 See RFC 5321
      C: QUIT now
      S: 501 5.5.4 QUIT takes no argument`;
  });

  it.each([
    ['FROM:carl@example.org', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['TO:<carl@example.org>', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM <carl@example.org>', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM:<carl@example.org', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM:<carl@example.org>SIZE=1', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM:<carl@example..org>', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM:<carl@example.org> ?=1', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM:<"a> SIZE=1\\""@example.org> SIZE=2', '250 2.1.0 Sender accepted'],
    ['FROM:<carl@example.org> SIZE', '501 5.5.4 SIZE is 1 to 20 digits'],
    ['FROM:<carl@example.org> SIZE=1x', '501 5.5.4 SIZE is 1 to 20 digits'],
    [
      'FROM:<carl@example.org> SIZE=52428801',
      '552 5.3.4 The message is too big, the limit is 52428800 octets',
    ],
    ['FROM:<carl@example.org> SIZE=1 SIZE=1', '501 5.5.4 Parameter SIZE was given twice'],
    ['FROM:<carl@example.org> BODY=BINARYMIME', '501 5.5.4 BODY is 7BIT or 8BITMIME'],
    ['FROM:<carl@example.org> REQUIRETLS', '555 5.5.4 Parameter REQUIRETLS is not known'],
    ['FROM:<carl@example.org> __proto__=1', '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]'],
    ['FROM:<carl@example.org> constructor', '555 5.5.4 Parameter CONSTRUCTOR is not known'],
    ['FROM:<carl@example.org> RET=ALL', '501 5.5.4 RET is FULL or HDRS'],
    ['FROM:<carl@example.org> ENVID=+0D+0A', '501 5.5.4 ENVID is xtext of at most 100 characters'],
    ['FROM:<carl@example.org> ENVID=+4', '501 5.5.4 ENVID is xtext of at most 100 characters'],
    ['FROM:<carl@example.org> AUTH=<>', '250 2.1.0 Sender accepted'],
    ['FROM:<carl@example.org> AUTH=dora+40example.com', '250 2.1.0 Sender accepted'],
    ['FROM:<k\u00e4the@example.org>', '553 5.6.7 An address with UTF-8 needs SMTPUTF8'],
    ['FROM:<carl@b\u00fccher.example>', '553 5.6.7 An address with UTF-8 needs SMTPUTF8'],
    ['FROM:<k\u00e4the@b\u00fccher.example> SMTPUTF8', '250 2.1.0 Sender accepted'],
    ['FROM:<carl@example.org> SMTPUTF8=yes', '501 5.5.4 SMTPUTF8 takes no value'],
  ])('MAIL %s is %s', async (argument, answer) => {
    const talk = await greeted();
    await talk`
      C: MAIL ${argument}
      S: ${answer}`;
  });

  it.each([
    ['TO:<>', '501 5.1.3 Syntax: RCPT TO:<address> [parameters]'],
    ['TO:<anna>', '501 5.1.3 Syntax: RCPT TO:<address> [parameters]'],
    [
      'TO:<anna@example.net> NOTIFY=SOMETIMES',
      '501 5.5.4 NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY',
    ],
    [
      'TO:<anna@example.net> NOTIFY=NEVER,DELAY',
      '501 5.5.4 NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY',
    ],
    ['TO:<anna@example.net> NOTIFY=delay,FAILURE', '250 2.1.5 Recipient accepted'],
    [
      'TO:<anna@example.net> ORCPT=rfc822',
      '501 5.5.4 ORCPT is an address type, a semicolon and an address in xtext',
    ],
    [
      'TO:<anna@example.net> ORCPT=rfc822;a+0Ab',
      '501 5.5.4 ORCPT is an address type, a semicolon and an address in xtext',
    ],
    ['TO:<anna@example.net> ORCPT=rfc822;a', '250 2.1.5 Recipient accepted'],
    ['TO:<anna@example.net> SIZE=1', '555 5.5.4 Parameter SIZE is not known'],
    ['TO:<\u00e4@example.net>', '553 5.6.7 An address with UTF-8 needs SMTPUTF8'],
  ])('RCPT %s is %s', async (argument, answer) => {
    const talk = await greeted();
    await talk`
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT ${argument}
      S: ${answer}`;
  });

  it('has a postmaster without a domain (RFC 5321 section 4.1.1.3)', async () => {
    const talk = await greeted({ people: { aliases: { 'postmaster@mx.example.net': anna } } });
    await talk`
      C: MAIL FROM:<>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<PostMaster>
      S: 250 2.1.5 Recipient accepted`;
  });

  it('writes UTF8SMTP into Received where SMTPUTF8 was asked for (RFC 6531 section 4.3)', async () => {
    const { talk: begin, mail } = await world({
      people: { aliases: { 'k\u00e4the@example.net': anna } },
    });
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org> SMTPUTF8
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<käthe@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    const trace = Buffer.from((await mail(anna))[0]!, 'latin1').toString();
    expect(trace).toContain(
      `\tby mx.example.net with UTF8SMTP id ${idAt(0)}\r\n\tfor <k\u00e4the@example.net>;\r\n`,
    );
  });

  it('delivers once where several recipients and aliases lead to one mailbox, and to all of a group', async () => {
    const { talk: begin, mail } = await world({
      people: {
        aliases: {
          'all@example.net': ['staff@example.net', anna],
          'staff@example.net': [anna, bert, 'all@example.net'],
          'me@example.net': 'me@example.net',
        },
      },
    });
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<me@example.net>
      S: 550 5.4.6 The address is forwarded in a circle
      C: RCPT TO:<all@example.net>
      S: 250 2.1.5 Recipient accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([1, 1]);
  });

  it('refuses a full mailbox at RCPT, by the declared size too', async () => {
    const { talk: begin, store } = await world();
    await store.commit([
      { op: 'setAccount', account: asId<AccountId>('anna'), limits: { octets: 1000 } },
    ]);
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org> SIZE=1001
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 452 4.2.2 The mailbox is full
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted`;
  });

  it('asks for a message again, without a copy for anybody, where one of two mailboxes turns out to be full', async () => {
    const { talk: begin, store, mail } = await world();
    await store.commit([
      { op: 'setAccount', account: asId<AccountId>('bert'), limits: { octets: 100 } },
    ]);
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: ${'x'.repeat(100)}
      C: .
      S: 451 4.5.3 The recipients would be answered differently; nothing was delivered, send it again
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted
      C: RCPT TO:<bert@example.net>
      S: 452 4.5.3 Too many recipients
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: ${'x'.repeat(100)}
      C: .
      S: 250 2.0.0 Accepted as ${idAt(1)}
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: ${'x'.repeat(100)}
      C: .
      S: 452 4.2.2 The mailbox is full`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([1, 0]);
  });

  it('says 451 while the directory is not there', async () => {
    const { talk: begin, directory } = await world();
    directory.resolve = () => Promise.reject(new MailError('UNAVAILABLE', 'Directory is away'));
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 451 4.3.0 Directory is away`;
  });
});

async function greeted(options: Parameters<typeof world>[0] = {}) {
  const talk = await (await world(options)).talk();
  await talk`
    C: HELO c
    S: 250 mx.example.net greets c`;
  return talk;
}
