import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { duplexPair, turn } from '@mail-server-kit/core/testing';
import { certificate, secure } from './fixtures/certificate.ts';
import { anna, idAt, world } from './fixtures/world.ts';

let tls: Awaited<ReturnType<typeof certificate>>;
beforeAll(async () => {
  tls = await certificate();
});
afterAll(() => tls.remove());

describe('STARTTLS', () => {
  it('offers channel binding where it is asked for', async () => {
    const { talk: begin } = await world({ tls, channelBinding: true });
    const talk = await begin();
    await talk`
      C: STARTTLS
      S: 220 2.0.0 Go ahead`;
    await talk.swap('', (stream) => secure(stream, tls.ca()));
    await talk`
      C: EHLO c
      S: 250-mx.example.net greets c
      S: 250-PIPELINING
      S: 250-SIZE 52428800
      S: 250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-DSN
      S: 250 CHUNKING`;
  });

  it('is offered in plaintext, AUTH only under TLS, and Received tells what was agreed on', async () => {
    const { talk: begin, mail } = await world({ tls });
    const talk = await begin();
    await talk`
      C: EHLO c
      S: 250-mx.example.net greets c
      S: 250-PIPELINING
      S: 250-SIZE 52428800
      S: 250-STARTTLS
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-DSN
      S: 250 CHUNKING
      C: AUTH PLAIN ${Buffer.from('\0anna@example.net\0secret').toString('base64')}
      S: 538 5.7.11 Encryption required, STARTTLS first
      C: STARTTLS now
      S: 501 5.5.4 STARTTLS takes no argument
      C: STARTTLS
      S: 220 2.0.0 Go ahead`;
    await talk.swap('', (stream) => secure(stream, tls.ca()));
    await talk`
      C: EHLO c
      S: 250-mx.example.net greets c
      S: 250-PIPELINING
      S: 250-SIZE 52428800
      S: 250-AUTH SCRAM-SHA-256 PLAIN LOGIN
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-DSN
      S: 250 CHUNKING
      C: STARTTLS
      S: 503 5.5.1 TLS is active already
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: a
      C: .
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect((await mail(anna))[0]).toContain(
      `\r\n\tby mx.example.net with ESMTPS (TLSv1.3 TLS_AES_128_GCM_SHA256) id ${idAt(0)}\r\n`,
    );
  });

  it('what was said before it is forgotten: greeting, transaction', async () => {
    const { talk: begin } = await world({ tls });
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted
      C: STARTTLS
      S: 220 2.0.0 Go ahead`;
    await talk.swap('', (stream) => secure(stream, tls.ca()));
    await talk`
      C: DATA
      S: 503 5.5.1 MAIL first
      C: MAIL FROM:<carl@example.org>
      S: 503 5.5.1 EHLO first`;
  });

  it.each([
    ['a command', 'NOOP\r\n'],
    [
      'half a command, the rest of which would be the first under TLS',
      'RCPT TO:<bert@example.net>',
    ],
    ['a transaction', 'EHLO x\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<anna@example.net>\r\n'],
    ['hundreds of commands', 'NOOP\r\n'.repeat(500)],
    [
      'an unfinished message',
      'EHLO x\r\nMAIL FROM:<e@example.org>\r\nRCPT TO:<anna@example.net>\r\nDATA\r\nx',
    ],
  ])('%s, injected in plaintext behind it, is thrown away', async (_name, injected) => {
    const { dial, mail } = await world({ tls });
    const stream = dial();
    let plain = '';
    const listen = (chunk: Buffer) => (plain += chunk.toString());
    stream.on('data', listen);
    // In one packet with the command, as the attacker does.
    stream.write(`EHLO c\r\nSTARTTLS\r\n${injected}`);
    while (!plain.endsWith('220 2.0.0 Go ahead\r\n')) await turn();
    stream.off('data', listen);
    const socket = await secure(stream, tls.ca());
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.write('NOOP\r\nMAIL FROM:<carl@example.org>\r\n');
    while (said.split('\r\n').length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(said).toBe('250 2.0.0 OK\r\n503 5.5.1 EHLO first\r\n');
    expect(await mail(anna)).toEqual([]);
    socket.destroy();
  });

  it('survives a client that resets the connection as soon as the handshake is done', async () => {
    const { server, dial } = await world({ tls });
    const [ours, theirs] = duplexPair();
    server.connect(theirs, { remoteAddress: '192.0.2.1' });
    let plain = '';
    const listen = (chunk: Buffer) => (plain += chunk.toString());
    ours.on('data', listen).write('EHLO c\r\nSTARTTLS\r\n');
    while (!plain.endsWith('220 2.0.0 Go ahead\r\n')) await turn();
    ours.off('data', listen);
    const secured = secure(ours, tls.ca());
    // The server ends the handshake with the octets that make this event, and looks at the connection a moment later.
    theirs.on('data', (chunk: Buffer) => {
      if (chunk.length < 200) theirs.destroy(new Error('ECONNRESET'));
    });
    await secured.catch(() => {});
    await turn();
    const stream = dial();
    const [greeting] = (await once(stream, 'data')) as [Buffer];
    expect(greeting.toString()).toBe('220 mx.example.net ESMTP\r\n');
  });
});
