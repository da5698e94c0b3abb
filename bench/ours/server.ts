/**
 * The server under test, wired from the packages as examples/provider is, but for three things: plain text on loopback,
 * because the load generators speak no TLS (the peers have theirs off as well); limits per address out of the way,
 * because all load comes from one; and the benchmark's accounts.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createAccounts } from '@mail-server-kit/accounts';
import { createMailServer, type LogEvent } from '@mail-server-kit/core';
import { createSmtpServer } from '@mail-server-kit/smtp';
import { openEmbeddedStore } from '@mail-server-kit/storage';
import { createImapServer } from 'imap-server-kit';

const text = { type: 'string', default: '' } as const;
const { values: options } = parseArgs({
  options: { data: text, smtp: text, lmtp: text, imap: text },
});

mkdirSync(options.data, { recursive: true });
const store = await openEmbeddedStore(options.data);
const directory = createAccounts({ store });
const domain = 'example.test';
const users = [...Array.from({ length: 20 }, (_, i) => `user${i}`), 'bench', 'big', 'sync'];
if (!(await directory.account(`bench@${domain}`))) {
  await directory.addDomain(domain);
  for (const user of users) await directory.addAccount(`${user}@${domain}`, 'secret');
}

const log = (event: LogEvent) => {
  if (event.level === 'error') console.error(event);
};
const host = '127.0.0.1';
const common = { store, directory, log };
const many = { connections: 10_000, connectionsPerAddress: 10_000 };
const receive = (kind: 'mx' | 'lmtp', port: string) =>
  createSmtpServer({
    ...common,
    kind,
    hostname: `mx.${domain}`,
    limits: many,
    listen: [{ host, port: Number(port) }],
  });
const server = createMailServer({
  services: [
    receive('mx', options.smtp),
    receive('lmtp', options.lmtp),
    createImapServer({
      ...common,
      plaintextLogin: 'loopback',
      limits: many,
      listen: [{ host, port: Number(options.imap), tls: 'starttls' }],
    }),
  ],
  closeAfter: [directory, store],
  drainTime: 500,
});
await server.start();
process.once('SIGTERM', () => {
  void server.stop().then(() => process.exit(0));
});
