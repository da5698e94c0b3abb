/** LOGIN (draft-murchison-sasl-login): older than PLAIN and in no way better, but all that some mail programs know. */
import type { SaslClient, SaslClientOptions } from './client.ts';
import type { SaslExchange, SaslOptions } from './exchange.ts';
import { decode, exchangeOf, refused } from './exchange-steps.ts';

const MAX_FIELD = 1024;

export function loginExchange({ directory, context }: SaslOptions): SaslExchange {
  return exchangeOf('LOGIN', async function* (initial) {
    // The draft says that clients ignore the prompts, and that some do not: these are what they look for.
    const userName = decode(initial ?? (yield Buffer.from('Username:')), MAX_FIELD);
    const password = decode(yield Buffer.from('Password:'), MAX_FIELD);
    if (!userName || !password || userName.includes('\0') || password.includes('\0'))
      throw refused('not a name and a password');
    return { account: await directory.login(userName, password, context) };
  });
}

export function loginClient({ userName, password, authorizeAs }: SaslClientOptions): SaslClient {
  if (authorizeAs !== undefined) throw new TypeError('LOGIN has no authorization identity');
  let asked = 0;
  return {
    mechanism: 'LOGIN',
    async step(challenge) {
      // Without an initial response, which not every server takes: the first question is for the name, whatever it says.
      if (challenge === undefined) return undefined;
      return Buffer.from(asked++ === 0 ? userName : password);
    },
    finish() {},
  };
}
