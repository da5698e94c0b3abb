/** PLAIN (RFC 4616): the password itself, so only under TLS. */
import type { SaslClient, SaslClientOptions } from './client.ts';
import type { SaslExchange, SaslOptions } from './exchange.ts';
import { decode, exchangeOf, refused } from './exchange-steps.ts';

/** RFC 4616 section 2 asks for at least 255 octets of each. */
const MAX_FIELD = 1024;

export function plainExchange({ directory, context }: SaslOptions): SaslExchange {
  return exchangeOf('PLAIN', async function* (initial) {
    const message = initial ?? (yield new Uint8Array(0));
    const fields = decode(message, 3 * MAX_FIELD + 2).split('\0');
    const [authorizeAs, userName, password] = fields;
    if (fields.length !== 3 || !userName || !password) throw refused('not three fields');
    if (fields.some((field) => Buffer.byteLength(field) > MAX_FIELD)) throw refused('too long');
    const other = authorizeAs && authorizeAs !== userName ? authorizeAs : undefined;
    return { account: await directory.login(userName, password, context, other) };
  });
}

export function plainClient({
  userName,
  password,
  authorizeAs = '',
}: SaslClientOptions): SaslClient {
  return {
    mechanism: 'PLAIN',
    async step() {
      for (const field of [authorizeAs, userName, password]) {
        if (field.includes('\0')) throw new TypeError('PLAIN cannot carry a NUL');
      }
      return Buffer.from(`${authorizeAs}\0${userName}\0${password}`);
    },
    finish() {},
  };
}
