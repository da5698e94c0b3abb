/**
 * AES-256-GCM for values of an account. A nonce must never come twice under one key, not even after a crash that takes back
 * what was written last, nor in a copy of the store that goes on elsewhere. So nothing that is stored gives the nonces:
 * each opening of the store draws a random session, each key gives a subkey for each session, and under a subkey the nonces
 * count on. docs/implement/store-format.md has the octets.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
} from 'node:crypto';
import { MailError, type Random } from '@mail-server-kit/core';

export const KEY_OCTETS = 32;
export const TAG_OCTETS = 16;
const SESSION_OCTETS = 16;
/** In front of a sealed value: session and counter. */
export const FRONT_OCTETS = SESSION_OCTETS + 6;
/** Octets that a sealed value has more. */
export const SEALED_OCTETS = FRONT_OCTETS + TAG_OCTETS;

/** What a sealed value is; part of its nonce, so that none passes for another. The numbers never change their meaning. */
export const sealed = { key: 1, section: 2, message: 3, value: 4 } as const;
export type SealedKind = (typeof sealed)[keyof typeof sealed];

const ALGORITHM = 'aes-256-gcm';
const SUBKEY = Buffer.from('mail-server-kit subkey\0', 'latin1');

/** Subkeys of earlier sessions that one key has at hand. */
const REMEMBERED = 32;

/** One opening of a store. */
export class Session {
  readonly id: Buffer;
  #counter = 0;

  constructor(random: Random) {
    this.id = Buffer.from(random.bytes(SESSION_OCTETS));
  }

  next(): number {
    return ++this.#counter;
  }
}

export class Sealer {
  readonly #key: Uint8Array;
  readonly #session: Session;
  #own: KeyObject | undefined;
  /** By session, least recently made first. */
  readonly #subkeys = new Map<string, KeyObject>();

  constructor(key: Uint8Array, session: Session) {
    this.#key = key;
    this.#session = session;
  }

  /**
   * Encrypts `region` in place, behind FRONT_OCTETS that it begins with and that are filled in. Returns the tag, which
   * belongs behind it. `context` is authenticated, not stored.
   */
  seal(region: Buffer, kind: SealedKind, context?: string): Buffer {
    const { id } = this.#session;
    const counter = this.#session.next();
    this.#own ??= this.#derive(id);
    id.copy(region);
    region.writeUIntLE(counter, SESSION_OCTETS, 6);
    const cipher = createCipheriv(ALGORITHM, this.#own, nonceOf(kind, region));
    if (context !== undefined) cipher.setAAD(Buffer.from(context));
    region.set(cipher.update(region.subarray(FRONT_OCTETS)), FRONT_OCTETS);
    cipher.final();
    return cipher.getAuthTag();
  }

  /** A copy, decrypted. @throws MailError CORRUPTION if it is not what this key has sealed as such */
  open(octets: Uint8Array, kind: SealedKind, context?: string): Buffer {
    if (octets.length < SEALED_OCTETS) throw damaged();
    const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
    const end = bytes.length - TAG_OCTETS;
    const decipher = createDecipheriv(ALGORITHM, this.#subkey(bytes), nonceOf(kind, bytes));
    if (context !== undefined) decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(end));
    const plain = decipher.update(bytes.subarray(FRONT_OCTETS, end));
    try {
      decipher.final();
    } catch (error) {
      throw damaged(error);
    }
    return plain;
  }

  #subkey(bytes: Buffer): KeyObject {
    const name = bytes.toString('latin1', 0, SESSION_OCTETS);
    let subkey = this.#subkeys.get(name);
    if (!subkey) {
      subkey = this.#derive(bytes.subarray(0, SESSION_OCTETS));
      this.#subkeys.set(name, subkey);
      if (this.#subkeys.size > REMEMBERED) {
        const [oldest] = this.#subkeys.keys();
        this.#subkeys.delete(oldest as string);
      }
    }
    return subkey;
  }

  #derive(session: Uint8Array): KeyObject {
    const hmac = createHmac('sha256', this.#key).update(SUBKEY).update(session);
    return createSecretKey(hmac.digest());
  }
}

/** Whoever is given it makes a copy. */
const nonce = Buffer.alloc(12);

/** `front`: session and counter. */
function nonceOf(kind: SealedKind, front: Buffer): Buffer {
  nonce[0] = kind;
  front.copy(nonce, 6, SESSION_OCTETS, FRONT_OCTETS);
  return nonce;
}

const damaged = (cause?: unknown) =>
  new MailError('CORRUPTION', 'A sealed value is damaged', { cause });
