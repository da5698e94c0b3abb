// Type-checked by pack.test.ts against the published types, as ESM and as CommonJS.
import { createAccounts } from '@mail-server-kit/accounts';
import {
  createMailServer,
  isMailError,
  type MailServer,
  type MailStore,
} from '@mail-server-kit/core';
import { duplexPair, fakeClock } from '@mail-server-kit/core/testing';
import { createSmtpServer } from '@mail-server-kit/smtp';
import { createMemoryStore, openEmbeddedStore } from '@mail-server-kit/storage';
import { mailStoreContract } from '@mail-server-kit/storage/contract';
import { certificateFiles } from '@mail-server-kit/tls';
import { createImapServer } from 'imap-server-kit';
import * as mime from '@mail-server-kit/mime';

export async function wire(cert: string, key: string): Promise<MailServer> {
  const store: MailStore = await openEmbeddedStore('mail');
  const directory = createAccounts({ store });
  const tls = await certificateFiles({ cert, key });
  const imap = createImapServer({ store, directory, tls });
  const smtp = createSmtpServer({ kind: 'mx', store, directory, tls });
  const [client, server] = duplexPair();
  imap.connect(server, { secure: true });
  client.end();
  await directory.addDomain('example.test').catch((error: unknown) => {
    if (!isMailError(error, 'ALREADYEXISTS')) throw error;
  });
  return createMailServer({ services: [smtp, imap], closeAfter: [store], clock: fakeClock(0) });
}

export const open = (): Promise<MailStore> => Promise.resolve(createMemoryStore());
export const contract = mailStoreContract;
export const names: string[] = Object.keys(mime);

// @ts-expect-error a service of a kind that does not exist is refused by the types: they are not `any`
createSmtpServer({ kind: 'pop3', store: createMemoryStore(), directory: undefined });
