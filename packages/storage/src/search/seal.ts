/**
 * The one place where octets of the search index are made unreadable for whoever has no key of the account, and readable
 * again. Algorithms are those of the journal: 0 as they are, 1 AES-256-GCM.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export interface Sealer {
  readonly algorithm: 0 | 1;
  /** `file`: id of the file for which the octets are meant; nowhere else they can be opened. */
  seal(octets: Uint8Array, file: Uint8Array): Uint8Array;
  /** @throws if they are not what was sealed */
  open(octets: Uint8Array, file: Uint8Array): Uint8Array;
}

export const plain: Sealer = {
  algorithm: 0,
  seal: (octets) => octets,
  open: (octets) => octets,
};

const IV = 12;
const TAG = 16;

/** Nonce, ciphertext, tag. `key`: 32 octets that are used for nothing else. */
export function sealer(key: Uint8Array): Sealer {
  return {
    algorithm: 1,
    seal(octets, file) {
      const nonce = randomBytes(IV);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(file);
      return Buffer.concat([nonce, cipher.update(octets), cipher.final(), cipher.getAuthTag()]);
    },
    open(octets, file) {
      const end = octets.length - TAG;
      const decipher = createDecipheriv('aes-256-gcm', key, octets.subarray(0, IV))
        .setAAD(file)
        .setAuthTag(octets.subarray(end));
      return Buffer.concat([decipher.update(octets.subarray(IV, end)), decipher.final()]);
    },
  };
}
