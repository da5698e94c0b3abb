/** A CA of one's own, for machines without a public name: test rigs, intranets, the first minutes of a new server. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import {
  parseDomain,
  silent,
  systemClock,
  type Clock,
  type Log,
  type Random,
  type TlsProvider,
} from '@mail-server-kit/core';
import { loadCertificate, readPem, type LoadedCertificate } from './certificate.ts';
import { readIfThere, writeDurably } from './durable-file.ts';
import { issueAuthority, issueServer, newKey } from './issue.ts';
import { exchangeable, type CertificateInfo } from './provider.ts';

export interface OwnCertificateAuthorityOptions {
  /** Made if it is not there. Holds ca.pem, ca-key.pem, server.pem and server-key.pem; the keys are readable by this user alone. */
  readonly directory: string;
  /** DNS names (also `*.example.org`) and IP addresses. At least one DNS name: mbsync and others match no addresses. */
  readonly names: readonly string[];
  readonly clock?: Clock;
  /** Serial numbers; keys come from WebCrypto. */
  readonly random?: Random;
  /** Hears of each renewal, and of those that fail. */
  readonly log?: Log;
}

export interface OwnCertificateAuthority extends TlsProvider {
  /** `<directory>/ca.pem`, absolute: what clients are told to trust (curl --cacert, swaks --tls-ca-path, mbsync CertificateFile). */
  readonly caFile: string;
  /** Its content now. */
  ca(): string;
  certificates(): readonly CertificateInfo[];
  /** Makes anew what is about to expire; true if something was. Also happens by itself once a day. */
  renew(): Promise<boolean>;
  /** Ends the daily look. */
  close(): void;
}

const DAY = 86_400_000;
const AUTHORITY_DAYS = 3652;
const SERVER_DAYS = 365;
const RENEW_DAYS = 30;
/** Clocks of clients that are behind. */
const GRACE = 3_600_000;

/**
 * Makes what is missing, keeps what is good: a restart changes nothing. Keys are written before the certificates that name them,
 * each file whole or not at all, so a crash in between is mended at the next start.
 * @throws TypeError for names that are none; Error of one line if a CA that clients may trust would have to be replaced
 */
export async function ownCertificateAuthority({
  directory,
  names,
  clock = systemClock,
  random = { bytes: randomBytes },
  log = silent,
}: OwnCertificateAuthorityOptions): Promise<OwnCertificateAuthority> {
  const wanted = sorted(names);
  const file = (name: string) => join(resolve(directory), name);
  await mkdir(directory, { recursive: true });
  let made = false;

  /** Two processes may start at once; whoever is second takes what the first one made. */
  async function writeFirst(name: string, text: string, mode: number): Promise<string> {
    try {
      await writeDurably(file(name), text, { mode, exclusive: true });
      made = true;
      return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return readPem(file(name), 'file');
    }
  }

  async function key(name: string): Promise<string> {
    return (await readIfThere(file(name))) ?? writeFirst(name, await newKey(), 0o600);
  }

  function validity(days: number, notLater = Infinity) {
    const now = clock.now();
    return { notBefore: now - GRACE, notAfter: Math.min(now + days * DAY, notLater) };
  }

  async function replace(name: string, cert: string): Promise<string> {
    await writeDurably(file(name), cert, { mode: 0o644 });
    made = true;
    return cert;
  }

  async function authority(): Promise<{ cert: string; key: string }> {
    const cert = await readIfThere(file('ca.pem'));
    if (cert !== undefined && (await readIfThere(file('ca-key.pem'))) === undefined) {
      // Clients trust this CA; a new one in its place would break them all without a word.
      throw new Error(
        `${file('ca-key.pem')} is missing: bring it back, or remove ca.pem to begin with a new CA`,
      );
    }
    const caKey = await key('ca-key.pem');
    if (cert === undefined) {
      const name = authorityName(wanted, caKey);
      const fresh = await issueAuthority(caKey, { name, random, ...validity(AUTHORITY_DAYS) });
      return { cert: await writeFirst('ca.pem', fresh, 0o644), key: caKey };
    }
    const x509 = loadedX509(cert);
    if (!x509.checkPrivateKey(createPrivateKey(caKey))) {
      throw new Error(`the key ${file('ca-key.pem')} does not belong to ${file('ca.pem')}`);
    }
    // It has to outlive the server's certificate. With the same name and key those who have the old ca.pem notice nothing.
    const left = Date.parse(x509.validTo) - clock.now();
    if (left > (SERVER_DAYS + RENEW_DAYS) * DAY) return { cert, key: caKey };
    const name = x509.subject.replace(/^CN=/, '');
    const renewed = await issueAuthority(caKey, { name, random, ...validity(AUTHORITY_DAYS) });
    return { cert: await replace('ca.pem', renewed), key: caKey };
  }

  function loadedX509(cert: string): X509Certificate {
    try {
      return new X509Certificate(cert);
    } catch (error) {
      throw new Error(`${file('ca.pem')} holds no certificate in PEM form`, { cause: error });
    }
  }

  function good(server: string, serverKey: string, ca: string): boolean {
    try {
      const x509 = new X509Certificate(server);
      const issuer = new X509Certificate(ca);
      const { dns, ip } = loaded(server, serverKey).names;
      const has = new Set([...dns, ...ip]);
      return (
        x509.checkIssued(issuer) &&
        x509.verify(issuer.publicKey) &&
        Date.parse(x509.validTo) - clock.now() > RENEW_DAYS * DAY &&
        Date.parse(x509.validFrom) <= clock.now() &&
        [...wanted.dns, ...wanted.ip].every((name) => has.has(name))
      );
    } catch {
      // Torn, or of a key that never reached the disk: it is ours to make again.
      return false;
    }
  }

  function loaded(cert: string, serverKey: string): LoadedCertificate {
    const paths = { certName: file('server.pem'), keyName: file('server-key.pem') };
    return loadCertificate(cert, serverKey, paths);
  }

  async function load(): Promise<{ ca: string; server: LoadedCertificate }> {
    const serverKey = await key('server-key.pem');
    const ca = await authority();
    let server = await readIfThere(file('server.pem'));
    if (server === undefined || !good(server, serverKey, ca.cert)) {
      const { validTo } = new X509Certificate(ca.cert);
      const times = validity(SERVER_DAYS, Date.parse(validTo));
      server = await replace(
        'server.pem',
        await issueServer(serverKey, ca, { ...wanted, random, ...times }),
      );
    }
    return { ca: ca.cert, server: loaded(server, serverKey) };
  }

  let state = await load();
  const { provider, exchange } = exchangeable([state.server]);
  let renewing: Promise<boolean> = Promise.resolve(false);
  let cancel = () => {};

  function renew(): Promise<boolean> {
    const next = async () => {
      made = false;
      state = await load();
      if (made) {
        exchange([state.server]);
        log({ level: 'info', service: 'tls', event: 'renewed' });
      }
      return made;
    };
    return (renewing = renewing.then(next, next));
  }

  function lookTomorrow(): void {
    cancel = clock.after(DAY, () => {
      lookTomorrow();
      // The certificate in use is good for 30 more looks; a disk that is full today is tried again tomorrow.
      renew().catch((error: unknown) => {
        log({ level: 'error', service: 'tls', event: 'renewal failed', error });
      });
    });
  }
  lookTomorrow();

  return {
    ...provider,
    caFile: file('ca.pem'),
    ca: () => state.ca,
    renew,
    close: () => cancel(),
  };
}

interface WantedNames {
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

function sorted(names: readonly string[]): WantedNames {
  const dns = new Set<string>();
  const ip = new Set<string>();
  for (const name of names) {
    if (isIP(name)) {
      ip.add(asCertificatesPrint(name));
      continue;
    }
    const wildcard = name.startsWith('*.') ? '*.' : '';
    const domain = parseDomain(name.slice(wildcard.length));
    if (domain === undefined || domain.startsWith('[')) {
      throw new TypeError(`neither a DNS name nor an IP address: ${JSON.stringify(name)}`);
    }
    dns.add(wildcard + domain);
  }
  if (dns.size === 0)
    throw new TypeError('names must have at least one DNS name, such as localhost');
  return { dns: [...dns], ip: [...ip] };
}

/** Node prints IPv6 addresses of certificates without `::` (`2001:DB8:0:0:0:0:0:1`). */
function asCertificatesPrint(address: string): string {
  if (isIP(address) === 4) return address;
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(zeros).fill('0'), ...after].join(':').toUpperCase();
}

/** The tag comes from the key: two CAs with one name but different keys would confuse whoever trusts both. */
function authorityName({ dns }: WantedNames, key: string): string {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const tag = createHash('sha256').update(spki).digest('hex').slice(0, 8);
  return `Mail CA of ${dns[0]?.slice(0, 40)} ${tag}`;
}
