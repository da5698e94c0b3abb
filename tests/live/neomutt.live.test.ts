/** neomutt in batch mode: its own SMTP and IMAP code, driven by the keys a person would press. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { itWith, succeed } from './programs.ts';
import { messagesOf, password, startServer, user, type LiveServer } from './server.ts';

describe('neomutt', () => {
  let server: LiveServer;
  let file: string;
  beforeAll(async () => {
    server = await startServer();
    file = join(server.folder, 'neomuttrc');
    const login = encodeURIComponent(user);
    writeFileSync(
      file,
      `
set ssl_starttls = yes
set ssl_force_tls = yes
set certificate_file = "${server.caFile}"
set imap_user = "${user}"
set imap_pass = "${password}"
set smtp_url = "smtp://${login}@localhost:${server.ports.submission}"
set smtp_pass = "${password}"
set from = "${user}"
set realname = "A User"
set folder = "imaps://localhost:${server.ports.imaps}/"
set spoolfile = "+INBOX"
set record = ""
set header_cache = ""
set tmpdir = "${server.folder}"
set quit = yes
set delete = yes
set confirm_append = no
set wait_key = no
set resolve = no
set sort = mailbox-order
`,
    );
  });
  afterAll(() => server.stop());
  const it = itWith('neomutt');
  const env = () => ({ HOME: server.folder, TERM: 'vt100' });

  it('sends a message', async () => {
    const args = ['-n', '-F', file, '-s', 'from neomutt', user];
    await succeed('neomutt', args, { input: 'Hello\n', env: env() });
    const [message] = await messagesOf(await server.imap(), 'INBOX');
    expect(message?.toString('latin1')).toMatch(/^Subject: from neomutt\r$/m);
    expect(message?.toString('latin1')).toMatch(/\r\n\r\nHello\r\n$/);
  });

  it('reads, flags and moves what is in a mailbox', async () => {
    const client = await server.imap();
    await client.mailboxCreate('keys');
    for (const subject of ['first', 'second', 'third']) {
      await client.append('keys', `From: ${user}\r\nSubject: ${subject}\r\n\r\nText\r\n`);
    }
    const keys = [
      // The first one is shown, so that it is read; then it is flagged.
      '<first-entry><display-message><exit><flag-message>',
      // The second one goes to another mailbox, the third is deleted.
      '<next-entry><save-message><kill-line>+Archive<enter>',
      '<last-entry><delete-message>',
      '<sync-mailbox><quit>',
    ].join('');
    const pty = `neomutt -n -F ${file} -f "imaps://localhost:${server.ports.imaps}/keys" -e 'push "${keys}"'`;
    // Its screen wants a terminal: script has one.
    await succeed('script', ['-qec', pty, '/dev/null'], { env: env() });
    const subjects = (messages: readonly Buffer[]) =>
      messages.map((message) => /^Subject: (.*)\r$/m.exec(message.toString('latin1'))?.[1]);
    expect(subjects(await messagesOf(client, 'keys'))).toEqual(['first']);
    expect(subjects(await messagesOf(client, 'Archive'))).toEqual(['second']);
    const lock = await client.getMailboxLock('keys');
    expect(await client.search({ seen: true, flagged: true })).toEqual([1]);
    lock.release();
  });
});
