/** Password hashes: argon2id (RFC 9106) for passwords that are sent, SCRAM-SHA-256 (RFC 7677) for those that are not. */
import { hash, parseOptions, verify } from '@node-rs/argon2';
import {
  MailError,
  makeScramCredentials,
  type Random,
  type ScramCredentials,
} from '@mail-server-kit/core';
import { createHashQueue, spareThreads, type HashQueue } from './hash-queue.ts';

export interface HashingOptions {
  /** Hashes at once. Default: the threads of libuv's pool (UV_THREADPOOL_SIZE or 4) less 2, at least 1. */
  readonly concurrency?: number;
  /** Logins that wait for a hash; beyond it they are THROTTLED. Default 1,024. */
  readonly queue?: number;
  /** Of argon2id. Defaults are those of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane. */
  readonly memoryKiB?: number;
  readonly passes?: number;
  readonly parallelism?: number;
  /**
   * Of SCRAM-SHA-256, at least 4,096; `false`: no SCRAM is offered and nothing kept for it. Default 65,536: Cyrus SASL (mbsync
   * and others) refuses to compute more. Who steals the
   * records guesses against the cheaper of the two hashes, and PBKDF2 runs far better on graphics cards than argon2id: the
   * 4,096 of RFC 7677 would make argon2id pointless. More is paid by every client at every login (65,536: about 30 ms).
   */
  readonly scramIterations?: number | false;
}

export interface HashedPassword {
  /** PHC string. */
  readonly hash: string;
  readonly scram?: ScramCredentials;
}

export interface Passwords {
  readonly queue: HashQueue;
  /** Of nobody's password, with today's parameters: to check against it takes as long and always fails. */
  readonly dummy: string;
  /** Undefined: SCRAM is not offered. */
  readonly scramIterations: number | undefined;
  /** `password`: prepared. Waits for its turn in the queue. */
  make(line: string, password: string): Promise<HashedPassword>;
  /** To be called within the queue. @throws MailError UNAVAILABLE if `stored` is no hash */
  check(stored: string, password: string): Promise<boolean>;
  /** Whether it was made with other parameters than today's. */
  isOutdated(stored: HashedPassword): boolean;
}

const SALT = 16;
const DIGEST = 32;

export function createPasswords(
  {
    concurrency = spareThreads(),
    queue: waiting = 1024,
    memoryKiB = 19_456,
    passes = 2,
    parallelism = 1,
    scramIterations = 65_536,
  }: HashingOptions,
  random: Random,
): Passwords {
  const iterations = scramIterations === false ? undefined : scramIterations;
  if (iterations !== undefined && !(iterations >= 4096)) {
    throw new TypeError('scramIterations: at least 4,096 (RFC 7677 section 4)');
  }
  if (!(concurrency >= 1)) throw new TypeError('hashing.concurrency: at least 1');
  const queue = createHashQueue({ concurrency, waiting });
  const parameters = { memoryCost: memoryKiB, timeCost: passes, parallelism, outputLen: DIGEST };
  const base64 = (count: number) =>
    Buffer.from(random.bytes(count)).toString('base64').replace(/=+$/, '');

  return {
    queue,
    dummy: `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${base64(SALT)}$${base64(DIGEST)}`,
    scramIterations: iterations,

    make: (line, password) =>
      queue.run(line, async () => {
        const phc = await hash(password, { ...parameters, salt: random.bytes(SALT) });
        if (iterations === undefined) return { hash: phc };
        const salt = random.bytes(SALT);
        return { hash: phc, scram: await makeScramCredentials(password, { salt, iterations }) };
      }),

    async check(stored, password) {
      try {
        return await verify(stored, password);
      } catch (cause) {
        throw new MailError('UNAVAILABLE', 'Login is not possible now, try again later', { cause });
      }
    },

    isOutdated({ hash: phc, scram }) {
      const { algorithm, memoryCost, timeCost, parallelism: lanes } = parseOptions(phc);
      // Algorithm 2 is argon2id; the package's enum exists at compile time only.
      const same =
        algorithm === 2 && memoryCost === memoryKiB && timeCost === passes && lanes === parallelism;
      return !same || scram?.iterations !== iterations;
    },
  };
}
