/** The names of a certificate, and which of several certificates fits a server name (RFC 6066 section 3, RFC 9525). */
import type { X509Certificate } from 'node:crypto';

export interface CertificateNames {
  /** Lower case, A-labels, `*.` in front of a wildcard. */
  readonly dns: readonly string[];
  /** As Node prints them. */
  readonly ip: readonly string[];
}

/**
 * From the subjectAltName alone: a common name has not counted as a host name since RFC 9525 section 6.3. Node quotes
 * whatever could be mistaken for its separators, and no host name needs quotes.
 */
export function namesOf({ subjectAltName = '' }: X509Certificate): CertificateNames {
  const entries = subjectAltName.split(', ');
  const kind = (prefix: string) =>
    entries.flatMap((entry) => (entry.startsWith(prefix) ? [entry.slice(prefix.length)] : []));
  return {
    dns: kind('DNS:')
      .filter((name) => !name.startsWith('"'))
      .map(normalName),
    ip: kind('IP Address:'),
  };
}

/** In lower case, without the dot of the root. */
export function normalName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** A wildcard stands for exactly one label (RFC 9525 section 6.3), so there are two keys to look for. */
export function byServerName<Value>(
  named: ReadonlyMap<string, Value>,
  serverName: string,
): Value | undefined {
  const name = normalName(serverName);
  const dot = name.indexOf('.');
  return named.get(name) ?? (dot > 0 ? named.get(`*${name.slice(dot)}`) : undefined);
}
