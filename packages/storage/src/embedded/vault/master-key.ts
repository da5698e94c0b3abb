/** What wraps the keys of a store: a file, a passphrase, or a service that hands out no key at all. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scrypt,
  type ScryptOptions,
} from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MailError } from '@mail-server-kit/core';
import { KEY_OCTETS, TAG_OCTETS } from './sealer.ts';

/**
 * Wraps one key of 32 octets, under which the store itself wraps those of its accounts; so a key service (KMS, HSM) is asked
 * once when a store is opened, and can say no. It is `wrap` with Encrypt and `unwrap` with Decrypt of such a service.
 */
export interface MasterKey {
  /** Tells one master key from another, to people; kept in the clear beside what it has wrapped. */
  readonly id: string;
  /** Whatever `unwrap` needs, the parameters of a derivation too. At most 64 KiB. */
  wrap(key: Uint8Array): Promise<Uint8Array>;
  /** @throws any error if it is not its own; MailError UNAVAILABLE if it cannot tell now */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
}

/**
 * The master key in a file: one line, 32 octets in base64. It belongs on another disk than the mail, and in no backup of it.
 * @throws MailError NONEXISTENT if the file is not there, CANNOT if it holds something else
 */
export async function keyFile(file: string): Promise<MasterKey> {
  let text: string;
  try {
    text = await fs.promises.readFile(file, 'latin1');
  } catch (cause) {
    throw new MailError('NONEXISTENT', `The key file ${file} cannot be read`, { cause });
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== KEY_OCTETS || key.toString('base64') !== text.trim()) {
    throw new MailError('CANNOT', `${file} is not a key file: one line, 32 octets in base64`);
  }
  // It is random and cannot be guessed: its hash gives nothing away.
  const name = createHash('sha256').update('mail-server-kit key file\0').update(key).digest('hex');
  return {
    id: `file ${name.slice(0, 16)}`,
    async wrap(inner) {
      const salt = randomBytes(SALT_OCTETS);
      return Buffer.concat([salt, encrypt(subkey(key, salt), inner)]);
    },
    async unwrap(wrapped) {
      const salt = wrapped.subarray(0, SALT_OCTETS);
      return decrypt(subkey(key, salt), wrapped.subarray(SALT_OCTETS));
    },
  };
}

/** Makes a key file that only its owner can read, on the disk when this resolves. @throws MailError ALREADYEXISTS */
export async function createKeyFile(file: string): Promise<void> {
  const text = `${randomBytes(KEY_OCTETS).toString('base64')}\n`;
  try {
    await fs.promises.writeFile(file, text, { mode: 0o600, flag: 'wx', flush: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new MailError('ALREADYEXISTS', `${file} is there already`, { cause });
  }
  const directory = await fs.promises.open(path.dirname(file), 'r');
  await directory.sync().finally(() => directory.close());
}

/** Memory is 128 * cost * blockSize octets. */
export interface PassphraseOptions {
  /** A power of two, at most 2^20. Default 2^17: 128 MiB and some tenths of a second, once when the store is opened. */
  readonly cost?: number;
  /** Default 8, at most 32. */
  readonly blockSize?: number;
  /** Default 1, at most 16. */
  readonly parallelization?: number;
}

/** The master key from a passphrase, by scrypt (RFC 7914). Its parameters are stored; other ones hold from a rotation on. */
export function passphrase(
  secret: string,
  { cost = 131_072, blockSize = 8, parallelization = 1 }: PassphraseOptions = {},
): MasterKey {
  const chosen = { N: cost, r: blockSize, p: parallelization };
  if (!bearable(chosen)) throw new TypeError('parameters of scrypt are out of range');
  return {
    id: 'passphrase',
    async wrap(inner) {
      const salt = randomBytes(SALT_OCTETS);
      const parameters = Buffer.from([Math.log2(cost), blockSize, parallelization]);
      return Buffer.concat([salt, parameters, encrypt(await derive(secret, salt, chosen), inner)]);
    },
    async unwrap(wrapped) {
      const salt = wrapped.subarray(0, SALT_OCTETS);
      const [log = 0, r = 0, p = 0] = wrapped.subarray(SALT_OCTETS);
      const stored = { N: 2 ** log, r, p };
      // The file may be anybody's: it must not make us fill the memory.
      if (!bearable(stored)) throw new MailError('CORRUPTION', 'A wrapped key is damaged');
      return decrypt(await derive(secret, salt, stored), wrapped.subarray(SALT_OCTETS + 3));
    },
  };
}

const SALT_OCTETS = 32;

const bearable = ({ N, r, p }: { N: number; r: number; p: number }) =>
  Number.isInteger(Math.log2(N)) && within(N, 2, 2 ** 20) && within(r, 1, 32) && within(p, 1, 16);

const within = (value: number, low: number, high: number) =>
  Number.isInteger(value) && value >= low && value <= high;

function derive(
  secret: string,
  salt: Uint8Array,
  parameters: { N: number; r: number; p: number },
): Promise<Buffer> {
  const options: ScryptOptions = {
    ...parameters,
    maxmem: 128 * parameters.r * (parameters.N + parameters.p) + 1_048_576,
  };
  return new Promise((resolve, reject) => {
    // The same characters may be typed as other code points.
    scrypt(secret.normalize('NFC'), salt, KEY_OCTETS, options, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}

const subkey = (key: Uint8Array, salt: Uint8Array) =>
  createHmac('sha256', key).update('mail-server-kit wrap\0').update(salt).digest();

/** The salt has made a key that is used once: the nonce may be zeros. */
const NONCE = Buffer.alloc(12);

function encrypt(key: Uint8Array, inner: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, NONCE);
  return Buffer.concat([cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Uint8Array, wrapped: Uint8Array): Buffer {
  const end = wrapped.length - TAG_OCTETS;
  if (end < 0) throw new MailError('CORRUPTION', 'A wrapped key is damaged');
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE);
  decipher.setAuthTag(wrapped.subarray(end));
  return Buffer.concat([decipher.update(wrapped.subarray(0, end)), decipher.final()]);
}
