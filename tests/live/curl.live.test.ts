/** curl sends octets as they are, and reads mail by URL. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { itWith, run, succeed } from './programs.ts';
import { messagesOf, password, startServer, user, type LiveServer } from './server.ts';

describe('curl', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());
  const it = itWith('curl');

  const curl = (...args: string[]) => [
    '--silent',
    '--show-error',
    '--cacert',
    server.caFile,
    ...args,
  ];
  const login = ['--user', `${user}:${password}`];

  /** A file with the line ends of this machine: LF. */
  function file(name: string, subject: string): string {
    const path = join(server.folder, name);
    writeFileSync(path, `From: ${user}\nTo: ${user}\nSubject: ${subject}\n\none\n.two\n`);
    return path;
  }
  const stored = (subject: string) =>
    `From: ${user}\r\nTo: ${user}\r\nSubject: ${subject}\r\n\r\none\r\n.two\r\n`;

  for (const [scheme, port] of [
    ['smtp', 'submission'],
    ['smtps', 'submissions'],
  ] as const) {
    it(`submits a file with bare LF by ${scheme}, and it is stored with CRLF`, async () => {
      const upload = ['--upload-file', file(`${scheme}.eml`, scheme)];
      const envelope = ['--mail-from', user, '--mail-rcpt', user];
      const url = `${scheme}://localhost:${server.ports[port]}`;
      await succeed('curl', curl('--ssl-reqd', url, ...login, ...envelope, ...upload));
      const messages = await messagesOf(await server.imap(), 'INBOX');
      const found = messages.find((message) => message.includes(`Subject: ${scheme}\r\n`));
      const text = found?.toString('latin1').replace(/^[^]*?(?=From: )/, '');
      // curl sees no CRLF at the end of the file and writes one more.
      expect(text).toBe(`${stored(scheme)}\r\n`);
    });
  }

  it('is refused by the MX with a file of bare LF', async () => {
    const upload = ['--upload-file', file('refused.eml', 'refused')];
    const envelope = ['--mail-from', user, '--mail-rcpt', user];
    // The end of a message with LF is no end (RFC 5321 section 4.1.1.4): curl writes CRLF.CRLF behind it.
    const url = `smtp://localhost:${server.ports.mx}`;
    const { code, stderr } = await run('curl', curl('--verbose', url, ...envelope, ...upload));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^< 550 5\.6\.11 /m);
  });

  it('appends, lists, searches and fetches by imaps', async () => {
    const url = (path: string) => `imaps://localhost:${server.ports.imaps}/${path}`;
    await succeed('curl', curl(...login, url(''), '--request', 'CREATE curl'));
    await succeed('curl', curl(...login, url('curl'), '--upload-file', file('a.eml', 'needle')));
    await succeed('curl', curl(...login, url('curl'), '--upload-file', file('b.eml', 'hay')));
    const listed = await succeed('curl', curl(...login, url('')));
    expect(listed).toMatch(/^\* LIST \([^)]*\) "\/" curl\r$/m);
    const searched = await succeed('curl', curl(...login, url('curl?SUBJECT%20needle')));
    expect(searched).toBe('* SEARCH 1\r\n');
    const fetched = await succeed('curl', curl(...login, url('curl;MAILINDEX=1')));
    expect(fetched).toBe(stored('needle'));
    const text = await succeed('curl', curl(...login, url('curl;UID=2;SECTION=TEXT')));
    expect(text).toBe('one\r\n.two\r\n');
    const flagged = ['--request', 'STORE 1 +FLAGS (\\Flagged)'];
    expect(await succeed('curl', curl(...login, url('curl'), ...flagged))).toContain('\\Flagged');
  });

  it('reads by imap after STARTTLS, and is not let in without it', async () => {
    const url = `imap://localhost:${server.ports.imap}/INBOX`;
    const examine = ['--request', 'NOOP'];
    await succeed('curl', curl('--ssl-reqd', ...login, url, ...examine));
    const { code } = await run('curl', curl(...login, url, ...examine));
    // 67: the login was denied.
    expect(code).toBe(67);
  });
});
