import { describe, expect, it } from 'vitest';
import { anna, idAt, lines, world } from './fixtures/world.ts';

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
});
