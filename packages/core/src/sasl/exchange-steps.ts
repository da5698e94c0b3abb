import { MailError } from '../errors.ts';
import type { Account } from '../directory.ts';
import type { MechanismName, SaslExchange } from './exchange.ts';

/**
 * The server side of a mechanism, told as it happens: it yields challenges, is given responses, and returns the account. What
 * it holds it frees in `finally`, which also runs when the client gives up.
 */
export type ServerSteps = AsyncGenerator<
  Uint8Array,
  { readonly account: Account; readonly data?: Uint8Array },
  Uint8Array
>;

/** `begin` is given the initial response, if there was one. */
export function exchangeOf(
  mechanism: MechanismName,
  begin: (initial: Uint8Array | undefined) => ServerSteps,
): SaslExchange {
  let steps: ServerSteps | undefined;
  let over = false;
  return {
    mechanism,
    async step(response) {
      if (over) throw new TypeError(`this ${mechanism} exchange is over`);
      try {
        const result = steps
          ? await steps.next(response ?? new Uint8Array(0))
          : await (steps = begin(response)).next();
        if (!result.done) return { kind: 'challenge', challenge: result.value };
        over = true;
        return { kind: 'done', ...result.value };
      } catch (error) {
        over = true;
        throw error;
      }
    },
    cancel() {
      over = true;
      // What is under way ends first. Nobody is left to hear of a failure.
      void steps?.return(undefined as never).catch(() => {});
    },
  };
}

/** One text for everything, so that it tells nothing (RFC 4422 section 3.6). `cause` is for the operator. */
export function refused(cause?: string): MailError {
  return new MailError(
    'AUTHENTICATIONFAILED',
    'Authentication failed',
    cause === undefined ? {} : { cause },
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws MailError AUTHENTICATIONFAILED if it is longer than `limit` octets or no UTF-8 */
export function decode(octets: Uint8Array, limit: number): string {
  if (octets.length > limit) throw refused('too long');
  try {
    return utf8.decode(octets);
  } catch {
    throw refused('not UTF-8');
  }
}
