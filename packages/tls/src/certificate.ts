/** One certificate with its key, checked when it is loaded rather than at the first handshake. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SecureContext } from 'node:tls';
import { namesOf, type CertificateNames } from './names.ts';
import { secureContext } from './policy.ts';

export interface LoadedCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly names: CertificateNames;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly context: SecureContext;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

/** The text of a PEM file. @throws Error of one line that names the file and what is wrong */
export async function readPem(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const reason = reasons[code] ?? (error as Error).message;
    throw new Error(`cannot read the ${what} ${path}: ${reason}`, { cause: error });
  }
}

/** `certName` and `keyName` are how errors name the two. @throws Error of one line */
export function loadCertificate(
  cert: string,
  key: string,
  { certName, keyName }: { certName: string; keyName: string },
): LoadedCertificate {
  const x509 = attempt(
    `${certName} holds no certificate in PEM form`,
    () => new X509Certificate(cert),
  );
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(key)) {
    throw new Error(`the key ${keyName} is encrypted, and nobody is there to type its passphrase`);
  }
  const privateKey = attempt(`${keyName} holds no private key in PEM form`, () =>
    createPrivateKey(key),
  );
  if (!x509.checkPrivateKey(privateKey)) {
    throw new Error(`the key ${keyName} does not belong to the first certificate of ${certName}`);
  }
  return {
    cert,
    key,
    names: namesOf(x509),
    notBefore: Date.parse(x509.validFrom),
    notAfter: Date.parse(x509.validTo),
    context: attempt(`${certName} and ${keyName} cannot be used for TLS`, () =>
      secureContext(cert, key),
    ),
  };
}

function attempt<Value>(failure: string, action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    const [line] = (error as Error).message.split('\n');
    throw new Error(`${failure} (${line})`, { cause: error });
  }
}
