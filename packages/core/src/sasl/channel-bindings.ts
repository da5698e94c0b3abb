/** What SCRAM-SHA-256-PLUS binds to: `tls-exporter` (RFC 9266) and `tls-server-end-point` (RFC 5929 section 4). */
import { createHash } from 'node:crypto';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { ChannelBindings } from './exchange.ts';

/** Of an encrypted connection after its handshake. `side`: ours. */
export function channelBindings(
  socket: TLSSocket,
  side: 'server' | 'client' = 'server',
): ChannelBindings {
  const bindings: ChannelBindings = {};
  // Under TLS 1.2 it is safe only with the extended master secret (RFC 9266 section 4.2), which Node does not tell.
  if (socket.getProtocol() === 'TLSv1.3') {
    bindings['tls-exporter'] = socket.exportKeyingMaterial(
      32,
      'EXPORTER-Channel-Binding',
      Buffer.alloc(0),
    );
  }
  const certificate = side === 'server' ? socket.getCertificate() : socket.getPeerCertificate();
  const { raw } = (certificate ?? {}) as Partial<PeerCertificate>;
  const endPoint = raw && serverEndPoint(raw);
  if (endPoint) bindings['tls-server-end-point'] = endPoint;
  return bindings;
}

/** The hash of the certificate; undefined if its signature has no one hash (Ed25519), or it is no certificate. */
export function serverEndPoint(der: Uint8Array): Uint8Array | undefined {
  const algorithm = signatureHash(der);
  return algorithm === undefined ? undefined : createHash(algorithm).update(der).digest();
}

/** By object identifier in hexadecimal; RFC 5929 section 4.1 puts SHA-256 for MD5 and SHA-1. */
const hashes: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d010104', 'sha256'], // md5WithRSAEncryption
  ['2a864886f70d010105', 'sha256'], // sha1WithRSAEncryption
  ['2a864886f70d01010e', 'sha224'], // sha224WithRSAEncryption
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d0401', 'sha256'], // ecdsa-with-SHA1
  ['2a8648ce3d040301', 'sha224'], // ecdsa-with-SHA224
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2b0e03021a', 'sha256'], // SHA-1, as parameter of RSASSA-PSS
  ['608648016503040204', 'sha224'],
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
]);
const rsassaPss = '2a864886f70d01010a';

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, ... } (RFC 5280 section 4.1). */
function signatureHash(der: Uint8Array): string | undefined {
  const certificate = element(der, 0, SEQUENCE);
  const signed = certificate && element(certificate.content, 0, SEQUENCE);
  const algorithm = signed && element(certificate.content, signed.end, SEQUENCE);
  const oid = algorithm && element(algorithm.content, 0, OBJECT_IDENTIFIER);
  if (!oid) return undefined;
  if (hex(oid.content) !== rsassaPss) return hashes.get(hex(oid.content));
  // RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm SEQUENCE { OID, ... } DEFAULT sha1, ... } (RFC 4055 section 3.1).
  const parameters = element(algorithm.content, oid.end, SEQUENCE);
  const explicit = parameters && element(parameters.content, 0, CONTEXT_0);
  if (parameters && !explicit) return 'sha256';
  const hash = explicit && element(explicit.content, 0, SEQUENCE);
  const hashOid = hash && element(hash.content, 0, OBJECT_IDENTIFIER);
  return hashOid && hashes.get(hex(hashOid.content));
}

const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
const CONTEXT_0 = 0xa0;

/** One DER element with this tag at `at`; undefined if there is none or it reaches beyond the end. */
function element(
  der: Uint8Array,
  at: number,
  tag: number,
): { content: Uint8Array; end: number } | undefined {
  let length = der[at + 1];
  if (der[at] !== tag || length === undefined) return undefined;
  let start = at + 2;
  if (length >= 0x80) {
    const octets = length - 0x80;
    if (octets === 0 || octets > 4) return undefined;
    length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + (der[start++] ?? NaN);
  }
  const end = start + length;
  return end <= der.length ? { content: der.subarray(start, end), end } : undefined;
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
