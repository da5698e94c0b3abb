import assert from 'node:assert/strict';
import {
  channelBindings,
  createSaslClient,
  type MechanismName,
  type SaslClient,
} from '@mail-server-kit/core';
import { fakeDirectory, seededRandom, transcript } from '@mail-server-kit/core/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { certificate, secure, type Certificate } from '../fixtures/certificate.ts';
import { answerOf, setting } from '../fixtures/clients.ts';

const before =
  'CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN';
const after =
  'CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE CREATE-SPECIAL-USE BINARY CONDSTORE UTF8=ACCEPT';

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

let tls: Certificate;
beforeAll(async () => {
  tls = await certificate();
});
afterAll(() => tls.remove());

describe('a login', () => {
  it('with LOGIN tells the new capabilities', async () => {
    const { connect } = await setting();
    const talk = transcript(connect());
    await talk`
      S: * OK [${before}] IMAP server ready
      C: a LOGIN alice@example.com wrong
      S: a NO [AUTHENTICATIONFAILED] Authentication failed
      C: b LOGIN nobody@example.com wrong
      S: b NO [AUTHENTICATIONFAILED] Authentication failed
      C: c LOGIN "alice@example.com" {6}
      S: + OK
      C: secret
      S: c OK [${after}] Logged in
      C: d LOGIN alice@example.com secret
      S: d BAD LOGIN is for the not authenticated state (RFC 9051 section 3)`;
  });

  it('with AUTHENTICATE PLAIN, with and without an initial response', async () => {
    const { connect } = await setting();
    const talk = transcript({ 1: connect(), 2: connect() });
    await talk`
      S1: * OK [${before}] IMAP server ready
      C1: a AUTHENTICATE PLAIN ${base64('\0alice@example.com\0secret')}
      S1: a OK [${after}] Logged in
      S2: * OK [${before}] IMAP server ready
      C2: a authenticate plain
      S2: +${' '}
      C2: *
      S2: a BAD Authentication cancelled
      C2: b AUTHENTICATE PLAIN
      S2: +${' '}
      C2: not base64
      S2: b BAD Not base64
      C2: c AUTHENTICATE PLAIN =
      S2: c NO [AUTHENTICATIONFAILED] Authentication failed
      C2: d AUTHENTICATE GSSAPI
      S2: d NO This mechanism is not offered
      C2: e AUTHENTICATE PLAIN
      S2: +${' '}
      C2: ${base64('\0alice@example.com\0secret')}
      S2: e OK [${after}] Logged in`;
  });

  it('the next command may come in the packet that ends it', async () => {
    const { connect } = await setting();
    const talk = transcript(connect());
    await talk`
      S: * OK [${before}] IMAP server ready`;
    await talk.send(
      '',
      `a AUTHENTICATE PLAIN\r\n${base64('\0alice@example.com\0secret')}\r\nb NOOP\r\n`,
    );
    await talk`
      S: +${' '}
      S: a OK [${after}] Logged in
      S: b OK NOOP completed`;
  });

  it('with SCRAM proves the server too, bound to TLS if both can', async () => {
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'] as const) {
      const { connect } = await setting({ tls });
      const plain = connect({ secure: false });
      await answerOf(plain, '*');
      plain.write('a STARTTLS\r\n');
      await answerOf(plain, 'a');
      const stream = await secure(plain, tls.ca());
      const client = createSaslClient(mechanism as MechanismName, {
        userName: 'alice@example.com',
        password: 'secret',
        random: seededRandom(2),
        ...(mechanism.endsWith('PLUS') && { bindings: channelBindings(stream, 'client') }),
      });
      stream.write(`b AUTHENTICATE ${mechanism}\r\n`);
      const said = await exchange(stream, client);
      assert.match(said, /^b OK \[CAPABILITY /);
    }
  });

  it('is refused for an account that may not use IMAP', async () => {
    const directory = fakeDirectory({
      accounts: [{ address: 'pop@example.com', password: 'x', protocols: ['pop3'] }],
    });
    const { connect } = await setting({
      directory: { ...directory, login: async () => directory.account('pop@example.com') },
    });
    const talk = transcript(connect());
    await talk`
      S: * OK [${before}] IMAP server ready
      C: a LOGIN pop@example.com x
      S: a NO [AUTHORIZATIONFAILED] IMAP is switched off for this account`;
  });

  it('after five refusals the link is cut', async () => {
    const { connect } = await setting();
    const talk = transcript(connect());
    await talk`
      S: * OK [${before}] IMAP server ready`;
    for (let i = 0; i < 5; i++) {
      await talk.send('', 'a LOGIN alice@example.com wrong\r\n');
      if (i < 4)
        await talk`
        S: a NO [AUTHENTICATIONFAILED] Authentication failed`;
    }
    await talk`
      S: a NO [AUTHENTICATIONFAILED] Authentication failed
      S: * BYE [UNAVAILABLE] Too many failed logins`;
    await talk.closed();
  });
});

describe('before TLS', () => {
  it('there is no login, and CAPABILITY says so', async () => {
    const { connect } = await setting({ tls });
    const talk = transcript(connect({ secure: false }));
    await talk`
      S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID STARTTLS LOGINDISABLED] IMAP server ready
      C: a LOGIN alice@example.com secret
      S: a NO [PRIVACYREQUIRED] Use STARTTLS first: passwords are not taken in plaintext
      C: b AUTHENTICATE PLAIN ${base64('\0alice@example.com\0secret')}
      S: b NO [PRIVACYREQUIRED] Use STARTTLS first: no login without encryption`;
  });

  it('unless the client is on the same machine and the operator wants that', async () => {
    const { connect } = await setting({ plaintextLogin: 'loopback' });
    const talk = transcript({
      1: connect({ secure: false, remoteAddress: '127.0.0.1' }),
      2: connect({ secure: false, remoteAddress: '192.0.2.1' }),
    });
    await talk`
      S1: * OK [${before}] IMAP server ready
      C1: a LOGIN alice@example.com secret
      S1: a OK [${after}] Logged in
      S2: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID LOGINDISABLED] IMAP server ready
      C2: a STARTTLS
      S2: a BAD There is no TLS here`;
  });
});

describe('STARTTLS', () => {
  it('begins anew: what came before is forgotten', async () => {
    const { connect } = await setting({ tls });
    const talk = transcript(connect({ secure: false }));
    await talk`
      S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID STARTTLS LOGINDISABLED] IMAP server ready
      C: a STARTTLS
      S: a OK Begin TLS negotiation now`;
    await talk.swap('', (stream) => secure(stream, tls.ca()));
    await talk`
      C: b CAPABILITY
      S: * CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN
      S: b OK CAPABILITY completed
      C: c STARTTLS
      S: c BAD The connection is secure already
      C: d LOGIN alice@example.com secret
      S: d OK [${after}] Logged in`;
  });

  it('drops commands that somebody put behind it in plaintext', async () => {
    const { connect, logged } = await setting({ tls });
    const talk = transcript(connect({ secure: false }));
    await talk`
      S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID STARTTLS LOGINDISABLED] IMAP server ready`;
    await talk.send('', 'a STARTTLS\r\nb LOGIN mallory@example.com x\r\nc NOOP {5}\r\n');
    await talk`
      S: a OK Begin TLS negotiation now`;
    await talk.swap('', (stream) => secure(stream, tls.ca()));
    await talk`
      C: d NOOP
      S: d OK NOOP completed`;
    assert.ok(logged.includes('plaintext after STARTTLS dropped'));
  });
});

async function exchange(stream: import('node:stream').Duplex, client: SaslClient): Promise<string> {
  for (;;) {
    const line = await lineOf(stream);
    if (!line.startsWith('+')) return line;
    const challenge = Buffer.from(line.slice(2), 'base64');
    const response = await client.step(challenge);
    stream.write(`${Buffer.from(response ?? '').toString('base64')}\r\n`);
  }
}

async function lineOf(stream: import('node:stream').Duplex): Promise<string> {
  let line = '';
  for (;;) {
    const octet = stream.read(1) as Buffer | null;
    if (octet === null) await new Promise((resolve) => stream.once('readable', resolve));
    else if ((line += octet.toString('latin1')).endsWith('\r\n')) return line.slice(0, -2);
  }
}
