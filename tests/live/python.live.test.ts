/** Python's own imaplib and smtplib: many scripts are written with them. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { itWith, succeed } from './programs.ts';
import { messagesOf, startServer, type LiveServer } from './server.ts';

const script = (name: string) => fileURLToPath(new URL(`python/${name}`, import.meta.url));

describe('Python', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());
  const it = itWith('python3');

  it('smtplib delivers by MX, LMTP, STARTTLS and implicit TLS', async () => {
    const { mx, lmtp, submission, submissions } = server.ports;
    const ports = [mx, lmtp, submission, submissions].map(String);
    const said = await succeed('python3', [script('smtp_session.py'), server.caFile, ...ports]);
    expect(said).toBe('mx\nlmtp\nsubmission\nsubmissions\n');
    const client = await server.imap();
    const subjects = (await messagesOf(client, 'INBOX')).map(
      (message) => /^Subject: (.*)\r$/m.exec(message.toString('latin1'))?.[1],
    );
    expect(subjects).toEqual(['mx', 'lmtp', 'submission', 'submissions']);
  });

  it('imaplib works through a session, over STARTTLS and over implicit TLS', async () => {
    const { imap, imaps } = server.ports;
    const args = [script('imap_session.py'), server.caFile, String(imap), String(imaps)];
    expect(await succeed('python3', args)).toBe('starttls\nimplicit\n');
  });
});
