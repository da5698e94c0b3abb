/** The mail server of a provider, wired from the packages. `npm start` runs it; flags.ts has its flags. */
import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { createAccounts } from '@mail-server-kit/accounts';
import { createMailServer, type Service, type TlsProvider } from '@mail-server-kit/core';
import { createSmtpServer } from '@mail-server-kit/smtp';
import {
  createKeyFile,
  keyFile,
  openEmbeddedStore,
  type Encryption,
} from '@mail-server-kit/storage';
import { certificateFiles, ownCertificateAuthority } from '@mail-server-kit/tls';
import { createImapServer } from 'imap-server-kit';
import { addAccounts } from './accounts.ts';
import { helpText, readFlags, type Flags, type ServiceName } from './flags.ts';
import { explain, log, startMessage, type Started } from './messages.ts';
import { listenForSignals, type Signals } from './signals.ts';

async function serve(flags: Flags, signals: Signals): Promise<void> {
  const data = flags.data.map((each) => resolve(each));
  const [first, ...others] = await foldersOf(data);
  const { tls, trust } = await certificates(flags, join(first, 'tls'));
  // Users trust the CA: it has to outlive a disk too.
  if (flags.certificates.length === 0) {
    for (const other of others)
      await cp(join(first, 'tls'), join(other, 'tls'), { recursive: true });
  }
  const sides = data.map((each) => join(each, 'mail')) as [string] | [string, string];
  const encryption = await encryptionOf(flags, sides);
  const store = await openEmbeddedStore(sides, { log, ...(encryption && { encryption }) });
  const directory = createAccounts({ store });

  const common = { store, directory, tls, log };
  const [hostname] = flags.domains;
  const smtp = { ...common, ...(hostname && { hostname }) };
  type Make = (at: { host: string; port: number }) => Service;
  const makers: Partial<Record<ServiceName, Make>> = {
    smtp: (at) => createSmtpServer({ ...smtp, kind: 'mx', listen: [at] }),
    submission: (at) => createSmtpServer({ ...smtp, kind: 'submission', listen: [at] }),
    submissions: (at) =>
      createSmtpServer({ ...smtp, kind: 'submission', listen: [{ ...at, tls: 'implicit' }] }),
    lmtp: (at) => createSmtpServer({ ...smtp, kind: 'lmtp', listen: [at] }),
    imap: (at) => createImapServer({ ...common, listen: [{ ...at, tls: 'starttls' }] }),
    imaps: (at) => createImapServer({ ...common, listen: [{ ...at, tls: 'implicit' }] }),
  };

  const names: ServiceName[] = [];
  const later: ServiceName[] = [];
  const services: Service[] = [];
  for (const [name, port] of Object.entries(flags.ports) as [ServiceName, number][]) {
    const make = makers[name];
    (make ? names : later).push(name);
    if (make) services.push(make({ host: flags.host, port }));
  }

  const server = createMailServer({ services, closeAfter: [directory, tls, store] });
  try {
    signals.stop.throwIfAborted();
    const addresses = await server.start();
    signals.stop.throwIfAborted();
    // Once nothing can fail any more: a password that was made is shown, or was not made.
    const accounts = await addAccounts(directory, flags);
    const open = addresses.map(({ host, port }, i) => ({
      name: names[i] as ServiceName,
      host,
      port,
    }));
    process.stdout.write(startMessage({ data: data.join(' and '), open, accounts, trust, later }));
    signals.rule(server, services);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * Those that are there, the one with the certificates first. They are made for a new server only: where one of two is missing,
 * its disk may not be mounted, and must not be filled up by what belongs there.
 */
async function foldersOf(data: readonly string[]): Promise<[string, ...string[]]> {
  const there = data.filter((each) => existsSync(each));
  if (there.length === 0) for (const each of data) await mkdir(each, { recursive: true });
  const folders = there.length === 0 ? data : there;
  const first = folders.find((each) => existsSync(join(each, 'tls'))) ?? (folders[0] as string);
  return [first, ...folders.filter((each) => each !== first)];
}

/** A key file is made for a new store only: a missing one is the one thing that brings its mail back. */
async function encryptionOf(
  { encryptionKey }: Flags,
  sides: readonly string[],
): Promise<Encryption | undefined> {
  if (encryptionKey === undefined) return undefined;
  const isNew = !sides.some((side) => existsSync(join(side, 'journal')));
  if (isNew && !existsSync(encryptionKey)) await createKeyFile(encryptionKey);
  return { masterKey: await keyFile(encryptionKey) };
}

/** The given files, or what a CA of our own makes for the domains and this machine. */
async function certificates(
  { certificates: [first, ...more], domains, host }: Flags,
  directory: string,
): Promise<{ tls: TlsProvider & { close(): void }; trust: Started['trust'] }> {
  if (first) {
    const tls = await certificateFiles({ ...first, more });
    process.on('SIGHUP', () => {
      tls
        .reload()
        .catch((error: unknown) =>
          console.error(`certificates stay as they are: ${explain(error)}`),
        );
    });
    const name = tls.certificates()[0]?.names.find((each) => !isIP(each));
    const trust = { file: resolve(first.cert), name: name?.replace('*', 'mail') };
    return { tls: { ...tls, close: () => {} }, trust };
  }
  const here = isIP(host) ? ['127.0.0.1', '::1', host] : ['127.0.0.1', '::1'];
  const hosts = domains.flatMap((domain) => [domain, `mail.${domain}`]);
  const tls = await ownCertificateAuthority({ directory, names: ['localhost', ...hosts, ...here] });
  return { tls, trust: { file: tls.caFile, name: 'localhost' } };
}

const signals = listenForSignals();
let flags: Flags | 'help' | undefined;
try {
  flags = readFlags(process.argv.slice(2));
  if (flags === 'help') process.stdout.write(helpText());
  else await serve(flags, signals);
} catch (error) {
  if (error === signals.stop.reason) process.exit(0);
  console.error(`mail-server-kit: ${explain(error, flags === 'help' ? undefined : flags)}`);
  process.exitCode = 1;
}
