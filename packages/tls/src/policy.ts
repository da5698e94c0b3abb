/**
 * What a handshake may agree on (RFC 9325, BCP 195). One policy for every context, since OpenSSL takes versions and ciphers
 * from the default context even where SNI chooses another certificate.
 */
import { createSecureContext, type SecureContext } from 'node:tls';

/** RFC 8996: 1.0 and 1.1 are not to be negotiated. */
export const minVersion = 'TLSv1.2';

/**
 * TLS 1.3 suites are all sound and stay as they are; of 1.2 those with forward secrecy and AEAD (RFC 9325 section 4.2).
 * AES-128 first, as the RFC recommends it; ChaCha20 serves machines without AES instructions. What uses CBC, RSA key exchange or
 * finite-field DH is left out: every mail client that knows 1.2 well enough to be safe knows one of these.
 */
export const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Groups with constant-time implementations; X25519 is the cheapest (RFC 9325 section 4.2.1, RFC 8446 section 9.1). */
const groups = 'X25519:P-256:P-384';

/** `cert`: PEM, the server's certificate first, then its chain. */
export function secureContext(cert: string, key: string): SecureContext {
  return createSecureContext({
    cert,
    key,
    minVersion,
    ciphers,
    ecdhCurve: groups,
    honorCipherOrder: true,
  });
}
