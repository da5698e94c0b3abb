/** mbsync keeps a Maildir and a mailbox alike, both ways, with hundreds of commands in flight. */
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { itWith, succeed } from './programs.ts';
import { messagesOf, password, startServer, user, type LiveServer } from './server.ts';

const count = 500;
const text = (i: number) =>
  `From: a@example.test\r\nSubject: message ${i}\r\nMessage-ID: <${i}@example.test>\r\n\r\nText ${i}\r\n`;

describe('mbsync', () => {
  let server: LiveServer;
  let maildir: string;
  beforeAll(async () => {
    server = await startServer();
    maildir = join(server.folder, 'maildir');
  });
  afterAll(() => server.stop());
  const it = itWith('mbsync');

  function configuration(): string {
    mkdirSync(maildir, { recursive: true });
    const file = join(server.folder, 'mbsyncrc');
    writeFileSync(
      file,
      `
IMAPAccount server
Host localhost
Port ${server.ports.imaps}
User ${user}
Pass ${password}
SSLType IMAPS
CertificateFile ${server.caFile}

IMAPStore far
Account server

MaildirStore near
Path ${maildir}/
Inbox ${maildir}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Archive
Create Both
Expunge Both
SyncState *
CopyArrivalDate yes
`,
    );
    return file;
  }

  it('pulls 500 messages, pushes flags, new and removed messages back', async () => {
    const client = await server.imap();
    for (let i = 0; i < count; i++) {
      const flags = i % 10 === 0 ? ['\\Seen'] : [];
      await client.append('INBOX', text(i), flags, new Date('2026-11-24T10:00:00Z'));
    }
    const file = configuration();
    const sync = () => succeed('mbsync', ['--config', file, '--all'], { patience: 30_000 });
    await sync();

    const inbox = join(maildir, 'INBOX');
    const local = (folder: string) =>
      readdirSync(join(inbox, folder)).map((name) => join(inbox, folder, name));
    const pulled = [...local('new'), ...local('cur')];
    expect(pulled.length).toBe(count);
    const bySubject = new Map(pulled.map((path) => [subjectOf(readFileSync(path)), path]));
    expect(bySubject.size).toBe(count);
    // Maildirs have LF.
    expect(readFileSync(bySubject.get('message 7')!, 'latin1')).toContain('\n\nText 7\n');
    expect(bySubject.get('message 10')).toMatch(/:2,S$/);

    const rename = (subject: string, flags: string) => {
      const path = bySubject.get(subject)!;
      const name = path
        .split('/')
        .at(-1)!
        .replace(/:2,.*$/, '');
      renameSync(path, join(inbox, 'cur', `${name}:2,${flags}`));
    };
    for (let i = 100; i < 150; i++) rename(`message ${i}`, 'FS');
    for (let i = 200; i < 210; i++) rename(`message ${i}`, 'T');
    for (let i = 0; i < 20; i++) {
      const added = text(count + i).replaceAll('\r\n', '\n');
      writeFileSync(join(inbox, 'new', `1795514400.${i}_1.here`), added);
    }
    await client.append('Archive', text(9999));
    await sync();

    const messages = await messagesOf(client, 'INBOX');
    expect(messages.length).toBe(count - 10 + 20);
    const subjects = new Set(messages.map(subjectOf));
    for (let i = 200; i < 210; i++) expect(subjects.has(`message ${i}`)).toBe(false);
    const added = messages.find((message) => subjectOf(message) === `message ${count + 7}`);
    // mbsync marks what it has carried over with a field of its own until the pair is noted.
    expect(added?.toString('latin1').replace(/^X-TUID: .*\r\n/m, '')).toBe(text(count + 7));
    const lock = await client.getMailboxLock('INBOX');
    expect((await client.search({ flagged: true }, { uid: true })) || []).toHaveLength(50);
    lock.release();
    expect(readdirSync(join(maildir, 'Archive/new')).length).toBe(1);

    const again = await succeed('mbsync', ['--config', file, '--all', '--verbose']);
    expect(again).not.toMatch(/[+*#][1-9]/);
    expect((await messagesOf(client, 'INBOX')).length).toBe(count + 10);
  }, 60_000);
});

function subjectOf(message: Buffer): string | undefined {
  return /^Subject: (.*?)\r?$/m.exec(message.toString('latin1'))?.[1];
}
