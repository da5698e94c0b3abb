/** The real thing on free ports of loopback, over a store in a folder of its own, for real clients to meet. */
import { createAccounts } from '@mail-server-kit/accounts';
import { createMailServer, type LogEvent } from '@mail-server-kit/core';
import { createSmtpServer, type SmtpLimits } from '@mail-server-kit/smtp';
import { openEmbeddedStore } from '@mail-server-kit/storage';
import { ownCertificateAuthority } from '@mail-server-kit/tls';
import { ImapFlow, type ImapFlowOptions } from 'imapflow';
import { createImapServer, type ImapLimits } from 'imap-server-kit';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const user = 'user@example.test';
export const password = 'secret';

const names = ['mx', 'submission', 'submissions', 'lmtp', 'imap', 'imaps'] as const;

export interface LiveServer {
  readonly ports: Readonly<Record<(typeof names)[number], number>>;
  /** PEM file of the CA that has signed the certificate of `localhost`. */
  readonly caFile: string;
  /** For what a test writes. Removed with the server. */
  readonly folder: string;
  /** What the server had to say above `info`. */
  readonly complaints: readonly LogEvent[];
  /** A client that has logged in. */
  imap(options?: Partial<ImapFlowOptions>): Promise<ImapFlow>;
  /** Ends the clients made by `imap` too. */
  stop(): Promise<void>;
}

export interface LiveOptions {
  readonly imapLimits?: Partial<ImapLimits>;
  readonly smtpLimits?: Partial<SmtpLimits>;
}

export async function startServer({
  imapLimits = {},
  smtpLimits = {},
}: LiveOptions = {}): Promise<LiveServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mail-kit-live-'));
  const tls = await ownCertificateAuthority({
    directory: join(folder, 'tls'),
    names: ['localhost', '127.0.0.1'],
  });
  const store = await openEmbeddedStore(join(folder, 'mail'));
  const directory = createAccounts({ store });
  await directory.addDomain('example.test');
  await directory.addAccount(user, password);

  const complaints: LogEvent[] = [];
  const log = (event: LogEvent) => {
    if (event.level === 'warn' || event.level === 'error') complaints.push(event);
  };
  const common = { store, directory, tls, log };
  const smtp = { ...common, hostname: 'localhost', limits: smtpLimits };
  const at = { host: '127.0.0.1', port: 0 };
  const imap = createImapServer({
    ...common,
    limits: imapLimits,
    listen: [
      { ...at, tls: 'starttls' },
      { ...at, tls: 'implicit' },
    ],
  });
  const server = createMailServer({
    services: [
      createSmtpServer({ ...smtp, kind: 'mx', listen: [at] }),
      createSmtpServer({
        ...smtp,
        kind: 'submission',
        listen: [at, { ...at, tls: 'implicit' }],
      }),
      createSmtpServer({ ...smtp, kind: 'lmtp', listen: [at] }),
      imap,
    ],
    closeAfter: [tls, directory, store],
    drainTime: 1000,
  });
  const addresses = await server.start();
  const ports = Object.fromEntries(
    names.map((name, i) => [name, addresses[i]?.port ?? 0]),
  ) as Record<(typeof names)[number], number>;

  const clients: ImapFlow[] = [];
  return {
    ports,
    caFile: tls.caFile,
    folder,
    complaints,
    async imap(options) {
      const client = new ImapFlow({
        host: 'localhost',
        port: ports.imaps,
        secure: true,
        auth: { user, pass: password },
        tls: { ca: readFileSync(tls.caFile) },
        logger: false,
        ...options,
      });
      // Its connection ends with the server at the latest; that is no error of a test.
      client.on('error', () => {});
      await client.connect();
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The messages of a mailbox, oldest first, as they are stored. */
export async function messagesOf(client: ImapFlow, mailbox: string): Promise<Buffer[]> {
  const lock = await client.getMailboxLock(mailbox);
  try {
    const found: Buffer[] = [];
    // What it knows of a mailbox that is selected already may be old.
    await client.noop();
    if (client.mailbox && client.mailbox.exists === 0) return found;
    for await (const { source } of client.fetch('1:*', { source: true })) {
      if (source) found.push(source);
    }
    return found;
  } finally {
    lock.release();
  }
}
