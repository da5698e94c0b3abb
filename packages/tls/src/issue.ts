/** The two certificates that an own CA needs: its own, and a server's (RFC 5280). ECDSA on P-256 throughout. */
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import type { Random } from '@mail-server-kit/core';

/**
 * Imported when first used: it brings some twenty modules, and the polyfill that it asks for writes to the global `Reflect`, which a
 * server that has its certificates from files shall not get.
 */
async function x509() {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Validity {
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A new private key, PKCS #8 in PEM. */
export async function newKey(): Promise<string> {
  const { privateKey } = await webcrypto.subtle.generateKey(signingAlgorithm, true, [
    'sign',
    'verify',
  ]);
  const der = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
}

/** `name`: the subject's common name. @returns PEM */
export async function issueAuthority(
  key: string,
  { name, random, notBefore, notAfter }: { name: string; random: Random } & Validity,
): Promise<string> {
  const x = await x509();
  const keys = await keyPair(key);
  const certificate = await x.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: [{ CN: [name] }],
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    keys,
    signingAlgorithm,
    extensions: [
      new x.BasicConstraintsExtension(true, 0, true),
      new x.KeyUsagesExtension(x.KeyUsageFlags.keyCertSign | x.KeyUsageFlags.cRLSign, true),
      await x.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pem(certificate);
}

/** `dns`: A-labels. @returns PEM */
export async function issueServer(
  key: string,
  authority: { cert: string; key: string },
  {
    dns,
    ip,
    random,
    notBefore,
    notAfter,
  }: { dns: readonly string[]; ip: readonly string[]; random: Random } & Validity,
): Promise<string> {
  const x = await x509();
  const { publicKey } = await keyPair(key);
  const signer = await keyPair(authority.key);
  const issuer = new x.X509Certificate(authority.cert);
  // RFC 5280 appendix A.1 bounds a common name at 64; nobody looks at it where there is a subjectAltName.
  const commonName = dns.find((name) => name.length <= 64);
  const certificate = await x.X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    subject: commonName === undefined ? [] : [{ CN: [commonName] }],
    issuer: issuer.subjectName,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm,
    extensions: [
      new x.BasicConstraintsExtension(false, undefined, true),
      new x.KeyUsagesExtension(x.KeyUsageFlags.digitalSignature, true),
      new x.ExtendedKeyUsageExtension([x.ExtendedKeyUsage.serverAuth]),
      new x.SubjectAlternativeNameExtension(
        [
          ...dns.map((value) => ({ type: 'dns' as const, value })),
          ...ip.map((value) => ({ type: 'ip' as const, value })),
        ],
        // RFC 5280 section 4.2.1.6: critical if the subject is empty.
        commonName === undefined,
      ),
      await x.AuthorityKeyIdentifierExtension.create(signer.publicKey),
      await x.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return pem(certificate);
}

function pem(certificate: { toString(format: 'pem'): string }): string {
  return `${certificate.toString('pem').trim()}\n`;
}

async function keyPair(key: string) {
  const privateKey = createPrivateKey(key);
  const [secret, shown] = await Promise.all([
    webcrypto.subtle.importKey(
      'pkcs8',
      privateKey.export({ format: 'der', type: 'pkcs8' }),
      signingAlgorithm,
      true,
      ['sign'],
    ),
    webcrypto.subtle.importKey(
      'spki',
      createPublicKey(privateKey).export({ format: 'der', type: 'spki' }),
      signingAlgorithm,
      true,
      ['verify'],
    ),
  ]);
  return { privateKey: secret, publicKey: shown };
}

/** Positive and not zero, at most 20 octets, unpredictable (RFC 5280 section 4.1.2.2). */
function serialNumber(random: Random): string {
  const octets = Buffer.from(random.bytes(16));
  octets[0] = (octets.readUInt8(0) & 0x7f) | 0x40;
  return octets.toString('hex');
}
