/** The TlsProvider contract over a set of certificates that can be exchanged while connections are open. */
import type { TlsProvider, TlsServerOptions } from '@mail-server-kit/core';
import type { SecureContext } from 'node:tls';
import type { LoadedCertificate } from './certificate.ts';
import { byServerName } from './names.ts';
import { minVersion } from './policy.ts';

export interface CertificateInfo {
  /** DNS names, then IP addresses. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Exchangeable {
  readonly provider: TlsProvider & { certificates(): readonly CertificateInfo[] };
  /** The next handshake gets these; connections that stand are left alone. The first is the default. */
  exchange(certificates: readonly LoadedCertificate[]): void;
}

export function exchangeable(initial: readonly LoadedCertificate[]): Exchangeable {
  const listeners = new Set<() => void>();
  let certificates = initial;
  let [first, contexts] = indexed(initial);

  // Whoever keeps the options longer than one handshake still gets today's certificate.
  const SNICallback: TlsServerOptions['SNICallback'] = (serverName, done) =>
    done(null, byServerName(contexts, serverName) ?? first.context);

  return {
    provider: {
      current: () => ({ secureContext: first.context, SNICallback, minVersion }),
      files: () => ({ cert: first.cert, key: first.key }),
      onReload(listener) {
        // Wrapped, so that a function given twice is called and cancelled twice.
        const entry = () => listener();
        listeners.add(entry);
        return () => void listeners.delete(entry);
      },
      certificates: () =>
        certificates.map(({ names, notBefore, notAfter }) => ({
          names: [...names.dns, ...names.ip],
          notBefore,
          notAfter,
        })),
    },
    exchange(next) {
      [first, contexts] = indexed(next);
      certificates = next;
      for (const listener of [...listeners]) listener();
    },
  };
}

/** Where two certificates have the same name, the one given first wins, as an operator reads a list. */
function indexed(
  certificates: readonly LoadedCertificate[],
): [first: LoadedCertificate, contexts: Map<string, SecureContext>] {
  const [first] = certificates;
  if (!first) throw new TypeError('at least one certificate is needed');
  const contexts = new Map<string, SecureContext>();
  for (const { names, context } of certificates) {
    for (const name of names.dns) if (!contexts.has(name)) contexts.set(name, context);
  }
  return [first, contexts];
}
