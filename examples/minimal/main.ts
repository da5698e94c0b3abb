import { createAccounts } from '@mail-server-kit/accounts';
import { createMailServer } from '@mail-server-kit/core';
import { createSmtpServer } from '@mail-server-kit/smtp';
import { openEmbeddedStore } from '@mail-server-kit/storage';
import { ownCertificateAuthority } from '@mail-server-kit/tls';
import { createImapServer } from 'imap-server-kit';

const store = await openEmbeddedStore('mail');
const directory = createAccounts({ store });
if (!(await directory.account('user@example.test'))) {
  await directory.addDomain('example.test');
  await directory.addAccount('user@example.test', 'secret');
}
const tls = await ownCertificateAuthority({ directory: 'tls', names: ['localhost'] });

const host = '127.0.0.1';
const server = createMailServer({
  services: [
    createSmtpServer({ kind: 'mx', store, directory, tls, listen: [{ host, port: 2525 }] }),
    createImapServer({ store, directory, tls, listen: [{ host, port: 2993, tls: 'implicit' }] }),
  ],
  closeAfter: [directory, store, tls],
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.stop());
console.log(await server.start());
