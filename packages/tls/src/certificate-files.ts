/** Certificates from PEM files, as certbot and others leave them. */
import type { TlsProvider } from '@mail-server-kit/core';
import { loadCertificate, readPem, type LoadedCertificate } from './certificate.ts';
import { exchangeable, type CertificateInfo } from './provider.ts';

export interface CertificatePaths {
  /** PEM: the server's certificate first, then the chain (certbot's fullchain.pem). */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

export interface CertificateFilesOptions extends CertificatePaths {
  /** Further certificates, chosen by the names in their subjectAltName. */
  readonly more?: readonly CertificatePaths[];
}

export interface CertificateFiles extends TlsProvider {
  /**
   * Reads all files again; the next handshake gets what they hold now. Meant for SIGHUP, a deploy hook or a timer.
   * @throws Error of one line that names the file; then everything stays as it was
   */
  reload(): Promise<void>;
  /** The default first. */
  certificates(): readonly CertificateInfo[];
}

/**
 * Clients that name no server, or one that no certificate has, get the first certificate: refusing them (RFC 6066 section 3
 * allows both) would lock out those that connect by address.
 * @throws Error of one line that names the file that is missing, unreadable or does not fit
 */
export async function certificateFiles({
  cert,
  key,
  more = [],
}: CertificateFilesOptions): Promise<CertificateFiles> {
  const pairs = [{ cert, key }, ...more];
  const load = () => Promise.all(pairs.map(loadPair));
  const { provider, exchange } = exchangeable(await load());
  let last: Promise<void> = Promise.resolve();
  return {
    ...provider,
    reload() {
      // One after the other: a slow older reading must not replace a newer one.
      const next = last.catch(() => {}).then(async () => exchange(await load()));
      last = next;
      return next;
    },
  };
}

async function loadPair({ cert, key }: CertificatePaths): Promise<LoadedCertificate> {
  const [certText, keyText] = await Promise.all([
    readPem(cert, 'certificate'),
    readPem(key, 'key'),
  ]);
  return loadCertificate(certText, keyText, { certName: cert, keyName: key });
}
