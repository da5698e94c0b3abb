/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): neither the password nor anything as good passes over the
 * wire, the server proves itself too, and -PLUS ties both to the TLS connection under them.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { SaslClient, SaslClientOptions } from './client.ts';
import type { ChannelBindings, MechanismName, SaslExchange, SaslOptions } from './exchange.ts';
import { exchangeOf, refused } from './exchange-steps.ts';
import type { ScramCredentials } from './scram-credentials.ts';
import {
  parseClientFinal,
  parseClientFirst,
  parseServerFinal,
  parseServerFirst,
  printSaslName,
  type ClientFirst,
} from './scram-messages.ts';

type ScramName = Extract<MechanismName, `SCRAM-${string}`>;

/** Octets of a nonce before base64. */
const NONCE = 18;

export function scramExchange(
  mechanism: ScramName,
  { directory, context, bindings = {}, random }: SaslOptions,
): SaslExchange {
  return exchangeOf(mechanism, async function* (initial) {
    const first = parseClientFirst(initial ?? (yield new Uint8Array(0)));
    const binding = checkFlag(mechanism, first, bindings);
    if (!directory.scram) throw refused(`${mechanism} is not offered`);
    const { userName, authorizeAs } = first;
    const other = authorizeAs !== userName ? authorizeAs : undefined;
    const attempt = await directory.scram(userName, context, other);
    let settled = false;
    try {
      const { credentials } = attempt;
      const nonce = first.nonce + toBase64(random.bytes(NONCE));
      const serverFirst = `r=${nonce},s=${toBase64(credentials.salt)},i=${credentials.iterations}`;
      const final = parseClientFinal(yield Buffer.from(serverFirst));
      const expected = Buffer.concat([Buffer.from(first.gs2Header), binding]);
      if (final.nonce !== nonce || !same(final.channelBinding, expected))
        throw refused('channel binding or nonce');
      const authMessage = `${first.bare},${serverFirst},${final.withoutProof}`;
      if (!proves(final.proof, credentials.storedKey, authMessage)) throw refused('proof');
      settled = true;
      const account = await attempt.settle(true);
      return {
        account,
        data: Buffer.from(`v=${toBase64(hmac(credentials.serverKey, authMessage))}`),
      };
    } finally {
      // Whatever stopped it, the directory has to count it; that it then refuses is no news.
      if (!settled) await attempt.settle(false).catch(() => {});
    }
  });
}

/** What the client says about channel bindings, RFC 5802 section 6. @returns the octets to which it has to be bound */
function checkFlag(
  mechanism: ScramName,
  { flag, bindingName }: ClientFirst,
  bindings: ChannelBindings,
): Uint8Array {
  if (mechanism === 'SCRAM-SHA-256-PLUS') {
    const binding =
      bindingName !== undefined && isBindingName(bindingName) ? bindings[bindingName] : undefined;
    if (flag !== 'p' || !binding) throw refused('channel binding is not supported');
    return binding;
  }
  if (flag === 'p') throw refused('channel binding without -PLUS');
  // The client thinks that -PLUS was not offered, but it was: somebody between has taken it away.
  if (flag === 'y' && offersPlus(bindings)) throw refused('downgrade');
  return new Uint8Array(0);
}

/** `data` proves knowledge of ClientKey, of which only the hash is stored (RFC 5802 section 3). */
function proves(proof: Uint8Array, storedKey: Uint8Array, authMessage: string): boolean {
  const signature = hmac(storedKey, authMessage);
  return proof.length === signature.length && same(hash(xor(proof, signature)), storedKey);
}

/** A client never works longer for a server than this; it would also be telling the server's hash rate. */
const MAX_ITERATIONS = 1_000_000;
/** RFC 7677 section 4: fewer would make guessing from a recorded exchange too easy. */
const MIN_ITERATIONS = 4096;

export function scramClient(mechanism: ScramName, options: SaslClientOptions): SaslClient {
  const { userName, password, authorizeAs, bindings = {}, random } = options;
  const [gs2Flag, binding] = chooseBinding(mechanism, bindings);
  const gs2Header = `${gs2Flag},${authorizeAs === undefined ? '' : `a=${printSaslName(authorizeAs)}`},`;
  const nonce = toBase64(random.bytes(NONCE));
  const bare = `n=${printSaslName(userName)},r=${nonce}`;
  let state: 'first' | 'final' | 'verify' | 'verified' = 'first';
  let serverSignature: Uint8Array = new Uint8Array(0);

  async function final(challenge: Uint8Array): Promise<Uint8Array> {
    const server = parseServerFirst(challenge);
    if (!server.nonce.startsWith(nonce) || server.nonce === nonce) throw refused('nonce');
    const { iterations, salt } = server;
    if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS)
      throw refused(`${iterations} iterations`);
    const { clientKey, storedKey, serverKey } = await deriveKeys(password, { salt, iterations });
    const channelBinding = toBase64(Buffer.concat([Buffer.from(gs2Header), binding]));
    const withoutProof = `c=${channelBinding},r=${server.nonce}`;
    const authMessage = `${bare},${server.text},${withoutProof}`;
    serverSignature = hmac(serverKey, authMessage);
    return Buffer.from(
      `${withoutProof},p=${toBase64(xor(clientKey, hmac(storedKey, authMessage)))}`,
    );
  }

  function verify(message: Uint8Array): void {
    if (!same(parseServerFinal(message), serverSignature))
      throw refused('the server does not know the password');
    state = 'verified';
  }

  return {
    mechanism,
    async step(challenge) {
      if (state === 'first') {
        // A server that got no initial response asks for it with an empty challenge.
        state = 'final';
        return Buffer.from(gs2Header + bare);
      }
      if (challenge === undefined) throw refused('nothing to answer');
      if (state === 'final') {
        state = 'verify';
        return final(challenge);
      }
      if (state !== 'verify') throw refused('one challenge too many');
      // Protocols without additional data send it as a challenge.
      verify(challenge);
      return new Uint8Array(0);
    },
    finish(data) {
      if (state === 'verify' && data && serverSignature.length > 0) verify(data);
      if (state !== 'verified') throw refused('the server did not prove itself');
    },
  };
}

function chooseBinding(
  mechanism: ScramName,
  bindings: ChannelBindings,
): [gs2Flag: string, binding: Uint8Array] {
  if (mechanism === 'SCRAM-SHA-256') return [offersPlus(bindings) ? 'y' : 'n', new Uint8Array(0)];
  for (const name of bindingNames) {
    const binding = bindings[name];
    if (binding) return [`p=${name}`, binding];
  }
  throw new TypeError('SCRAM-SHA-256-PLUS needs channel bindings');
}

/** The stronger first: the exporter is of this very connection, the end point only of its certificate. */
const bindingNames = ['tls-exporter', 'tls-server-end-point'] as const;

function isBindingName(name: string): name is keyof ChannelBindings {
  return (bindingNames as readonly string[]).includes(name);
}

export function offersPlus(bindings: ChannelBindings | undefined): boolean {
  return bindingNames.some((name) => bindings?.[name] !== undefined);
}

export interface ScramOptions {
  /** 16 random octets are plenty. */
  readonly salt: Uint8Array;
  /** At least 4096 (RFC 7677 section 4). */
  readonly iterations: number;
}

/**
 * What to keep of a password, already prepared (RFC 4013). Takes milliseconds of a thread of libuv's pool, so not too many
 * at once; checking a proof later takes microseconds.
 */
export async function makeScramCredentials(
  password: string,
  options: ScramOptions,
): Promise<ScramCredentials> {
  if (options.iterations < MIN_ITERATIONS)
    throw new TypeError(`at least ${MIN_ITERATIONS} iterations`);
  const { storedKey, serverKey } = await deriveKeys(password, options);
  return { salt: options.salt, iterations: options.iterations, storedKey, serverKey };
}

const derive = promisify(pbkdf2);

/** RFC 5802 section 3. */
async function deriveKeys(password: string, { salt, iterations }: ScramOptions) {
  const saltedPassword = await derive(password, salt, iterations, 32, 'sha256');
  const clientKey = hmac(saltedPassword, 'Client Key');
  return { clientKey, storedKey: hash(clientKey), serverKey: hmac(saltedPassword, 'Server Key') };
}

function hmac(key: Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

function hash(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((octet, index) => octet ^ (b[index] as number));
}

/** In a time that depends on the length only. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function toBase64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64');
}
