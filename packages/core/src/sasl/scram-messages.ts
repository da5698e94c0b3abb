/** The messages of SCRAM (RFC 5802 section 7): parsed strictly, in one pass, with limits. */
import { decode, refused } from './exchange-steps.ts';

const MAX_MESSAGE = 4096;
const MAX_NAME = 1024;
const MAX_NONCE = 512;

const printable = /^[!-+\--~]+$/;

export interface ClientFirst {
  /** As it came, commas included: the client repeats it under the protection of the proof. */
  readonly gs2Header: string;
  /** `p` with the name of a channel binding, `y`: the client could but thinks that the server cannot, `n`: it cannot. */
  readonly flag: 'p' | 'y' | 'n';
  readonly bindingName: string | undefined;
  readonly authorizeAs: string | undefined;
  readonly bare: string;
  readonly userName: string;
  readonly nonce: string;
}

export function parseClientFirst(octets: Uint8Array): ClientFirst {
  const text = decode(octets, MAX_MESSAGE);
  const [flagText = '', authzid = '', ...rest] = text.split(',');
  const flag = flagText[0];
  if (flag !== 'p' && flag !== 'y' && flag !== 'n') throw refused('gs2 flag');
  const bindingName = flag === 'p' ? /^p=([A-Za-z0-9.-]{1,64})$/.exec(flagText)?.[1] : undefined;
  if (flag === 'p' ? bindingName === undefined : flagText.length !== 1) throw refused('gs2 flag');
  if (authzid !== '' && !authzid.startsWith('a=')) throw refused('authzid');
  const authorizeAs = authzid === '' ? undefined : saslName(authzid.slice(2));
  // A first attribute of `m` would be a mandatory extension: there are none (RFC 5802 section 5.1).
  const [name = '', nonce = '', ...extensions] = rest;
  if (!name.startsWith('n=') || !nonce.startsWith('r=')) throw refused('attributes');
  checkExtensions(extensions);
  return {
    gs2Header: `${flagText},${authzid},`,
    flag,
    bindingName,
    authorizeAs,
    bare: rest.join(','),
    userName: saslName(name.slice(2)),
    nonce: checkNonce(nonce.slice(2)),
  };
}

export interface ServerFirst {
  readonly nonce: string;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

export function parseServerFirst(octets: Uint8Array): ServerFirst & { readonly text: string } {
  const text = decode(octets, MAX_MESSAGE);
  const [nonce = '', salt = '', iterations = '', ...extensions] = text.split(',');
  if (!nonce.startsWith('r=') || !salt.startsWith('s=') || !/^i=[1-9][0-9]{0,8}$/.test(iterations))
    throw refused('attributes');
  checkExtensions(extensions);
  return {
    text,
    nonce: checkNonce(nonce.slice(2)),
    salt: fromBase64(salt.slice(2)),
    iterations: Number(iterations.slice(2)),
  };
}

export interface ClientFinal {
  readonly channelBinding: Uint8Array;
  readonly nonce: string;
  readonly withoutProof: string;
  readonly proof: Uint8Array;
}

export function parseClientFinal(octets: Uint8Array): ClientFinal {
  const text = decode(octets, MAX_MESSAGE);
  const [binding = '', nonce = '', ...rest] = text.split(',');
  const proof = rest.pop() ?? '';
  if (!binding.startsWith('c=') || !nonce.startsWith('r=') || !proof.startsWith('p='))
    throw refused('attributes');
  checkExtensions(rest);
  return {
    channelBinding: fromBase64(binding.slice(2)),
    nonce: checkNonce(nonce.slice(2)),
    withoutProof: text.slice(0, -proof.length - 1),
    proof: fromBase64(proof.slice(2)),
  };
}

/** `v=` and the server's signature; `e=` and a word if the server refuses. */
export function parseServerFinal(octets: Uint8Array): Uint8Array {
  const [verifier = '', ...extensions] = decode(octets, MAX_MESSAGE).split(',');
  if (!verifier.startsWith('v=')) throw refused(`the server says ${verifier}`);
  checkExtensions(extensions);
  return fromBase64(verifier.slice(2));
}

/** Optional extensions are ignored, but must look like some: `attr-val` of RFC 5802 section 7. */
function checkExtensions(extensions: readonly string[]): void {
  for (const extension of extensions) {
    if (!/^[A-Za-z]=[^\0]/.test(extension) || extension.startsWith('m='))
      throw refused('extension');
  }
}

function checkNonce(nonce: string): string {
  if (nonce.length > MAX_NONCE || !printable.test(nonce)) throw refused('nonce');
  return nonce;
}

/** Only in its one canonical form: complete, padded, nothing else between (RFC 4648 section 3.5). */
function fromBase64(text: string): Uint8Array {
  const octets = Buffer.from(text, 'base64');
  if (text === '' || octets.toString('base64') !== text) throw refused('base64');
  return octets;
}

/** `=2C` is a comma and `=3D` an equals sign; no other `=` may be there. */
function saslName(text: string): string {
  if (text === '' || text.includes('\0') || /=(?!2C|3D)/.test(text)) throw refused('name');
  const name = text.replace(/=2C/g, ',').replace(/=3D/g, '=');
  if (Buffer.byteLength(name) > MAX_NAME) throw refused('too long');
  return name;
}

export function printSaslName(name: string): string {
  if (name === '' || name.includes('\0')) throw new TypeError('a name has neither NUL nor nothing');
  return name.replace(/=/g, '=3D').replace(/,/g, '=2C');
}
