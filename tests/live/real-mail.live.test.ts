/** Messages as they come in real life, in by SMTP and IMAP, out by IMAP, equal octet by octet. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTransport } from 'nodemailer';
import type { ImapFlow } from 'imapflow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messagesOf, password, startServer, user, type LiveServer } from './server.ts';

const folder = fileURLToPath(new URL('../../../shared/mail', import.meta.url));
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.eml')) : [];
const octetsOf = (name: string) => readFileSync(join(folder, name));

/** What cannot be sent, and what the server says to it; all else goes through, malformed as it may be. */
const refusals: Readonly<Record<string, RegExp>> = {
  // NUL is in no text message (RFC 2045 section 2.8). By IMAP it comes in a literal8 (RFC 9051 section 4.3.2) or not at all.
  'sisimai-bsd-lhost-x2-04.eml': /550 5\.6\.1 NUL/,
};

/**
 * What begins with no header field has an empty line put between it and the trace fields, or its text would be taken for
 * more of them (RFC 5322 section 2.1: the body is behind the first empty line).
 */
const headless = new Set(['cpython-msg_19.eml']);

describe.skipIf(files.length === 0)('real mail', () => {
  let server: LiveServer;
  let client: ImapFlow;

  beforeAll(async () => {
    server = await startServer();
    client = await server.imap();
  });
  afterAll(() => server.stop());

  it('appended by imapflow is read back as it was, line ends made CRLF', async () => {
    await client.mailboxCreate('appended');
    for (const name of files) await client.append('appended', octetsOf(name), ['\\Seen']);
    const found = await messagesOf(client, 'appended');
    expect(found.length).toBe(files.length);
    const different = files.filter((name, i) => !asAppended(octetsOf(name)).equals(found[i]!));
    expect(different).toEqual([]);
  });

  it('with a NUL is not appended in a literal that cannot have one', async () => {
    const plain = await server.imap({ disableBinary: true });
    const nul = 'sisimai-bsd-lhost-x2-04.eml';
    await expect(plain.append('INBOX', octetsOf(nul))).rejects.toThrow();
    expect(await messagesOf(client, 'INBOX')).toEqual([]);
  });

  for (const kind of ['mx', 'submission'] as const) {
    it(`sent by nodemailer to the ${kind} port is read back below its trace fields`, async () => {
      const before = (await messagesOf(client, 'INBOX')).length;
      const transport = createTransport({
        host: 'localhost',
        port: server.ports[kind],
        pool: true,
        maxConnections: 1,
        maxMessages: Infinity,
        requireTLS: true,
        tls: { ca: readFileSync(server.caFile) },
        ...(kind === 'submission' && { auth: { user, pass: password } }),
      });
      const kept: string[] = [];
      for (const name of files) {
        const sending = transport.sendMail({
          envelope: { from: user, to: [user] },
          raw: octetsOf(name),
        });
        const refused = refusals[name];
        if (refused) await expect(sending, name).rejects.toThrow(refused);
        else {
          await sending;
          kept.push(name);
        }
      }
      transport.close();
      const found = (await messagesOf(client, 'INBOX')).slice(before);
      expect(found.length).toBe(kept.length);
      const expected = (name: string) => {
        const sent = asSent(octetsOf(name));
        return headless.has(name) ? Buffer.concat([Buffer.from('\r\n'), sent]) : sent;
      };
      const different = kept.filter((name, i) => !isBelowTrace(expected(name), found[i]!));
      expect(different).toEqual([]);
    });
  }
});

/**
 * As BODY[] shows what APPEND has stored: a bare LF becomes CRLF, everything else stays. What has NUL comes as a literal8, of
 * which nothing changes; but BODY[] is no literal8, so it has 0x80 there (RFC 9051 section 9, rule 3).
 */
function asAppended(octets: Buffer): Buffer {
  if (octets.includes(0)) return octets.map((octet) => octet || 0x80) as Buffer;
  return Buffer.from(octets.toString('latin1').replace(/(?<!\r)\n/g, '\r\n'), 'latin1');
}

/** As nodemailer sends it: every line end is CRLF, the last line has one too. */
function asSent(octets: Buffer): Buffer {
  const text = octets.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
  return Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1');
}

/** Whether `stored` is `sent` with nothing but Return-Path, Received and what a submission lacked on top. */
function isBelowTrace(sent: Buffer, stored: Buffer): boolean {
  const top = stored.subarray(0, stored.length - sent.length).toString('latin1');
  const fields = top
    .replace(/\r\n[ \t]/g, ' ')
    .split('\r\n')
    .slice(0, -1);
  return (
    stored.subarray(top.length).equals(sent) &&
    fields[0] === `Return-Path: <${user}>` &&
    fields.slice(1).every((field) => /^(Received|Date|Message-ID): /.test(field)) &&
    fields.filter((field) => field.startsWith('Received: ')).length === 1
  );
}
