/** AUTHENTICATE (RFC 9051 section 6.2.2), with an initial response (SASL-IR, RFC 4959). */
import { createSaslExchange, isMailError, type MechanismName } from '@mail-server-kit/core';
import { capabilities, mechanismsOf } from '../capabilities.ts';
import { command, type Talk } from '../command.ts';
import { bad, no } from '../outcome.ts';
import { Problem } from '../wire/problem.ts';

export const authenticate = command({
  name: 'AUTHENTICATE',
  state: 'not authenticated',

  parse(read) {
    const mechanism = read.keyword('a mechanism');
    const initial = read.skip(' ') ? read.rest().toString('latin1') : undefined;
    read.end();
    return { mechanism, initial };
  },

  async run({ session, args, talk }) {
    const { wiring, peer } = session;
    if (!wiring.plaintextLogin(peer)) {
      throw no('PRIVACYREQUIRED', 'Use STARTTLS first: no login without encryption');
    }
    if (!mechanismsOf(session).includes(args.mechanism)) {
      throw no(undefined, 'This mechanism is not offered');
    }
    const exchange = createSaslExchange(args.mechanism as MechanismName, {
      directory: wiring.directory,
      random: wiring.random,
      context: {
        protocol: 'imap',
        secure: peer.secure,
        connection: peer.connection,
        ...(peer.remoteAddress !== undefined && { remoteAddress: peer.remoteAddress }),
      },
      ...(peer.bindings && { bindings: peer.bindings }),
    });
    try {
      // "=" is an initial response of no octets (RFC 4959 section 3).
      let response = args.initial === undefined ? undefined : decode(args.initial);
      let step = await exchange.step(response);
      while (step.kind === 'challenge') {
        response = await answer(talk, step.challenge);
        step = await exchange.step(response);
      }
      // IMAP has no field for additional data with success: it is one challenge more (RFC 4422 section 3.6).
      if (step.data) await answer(talk, step.data);
      talk.login(step.account);
    } catch (error) {
      exchange.cancel();
      if (isMailError(error)) talk.loginFailed();
      throw error;
    }
    return `[${capabilities(session)}] Logged in`;
  },
});

async function answer(talk: Talk, challenge: Uint8Array): Promise<Buffer> {
  await talk.goAhead(Buffer.from(challenge).toString('base64'));
  const line = (await talk.line()).toString('latin1');
  // A cancelled exchange ends with BAD (RFC 9051 section 6.2.2).
  if (line === '*') throw bad('Authentication cancelled');
  return decode(line);
}

function decode(text: string): Buffer {
  if (text === '=') return Buffer.alloc(0);
  const octets = Buffer.from(text, 'base64');
  if (octets.toString('base64') !== text) throw new Problem('Not base64');
  return octets;
}
