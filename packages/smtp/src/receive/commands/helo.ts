/** EHLO, HELO and LHLO (RFC 5321 section 4.1.1.1, RFC 2033 section 4.1). Each begins anew, as RSET does. */
import { extensions } from '../extensions/index.ts';
import { reply, type Reply } from '../reply.ts';
import { clientOf, resetTransaction, type Session } from '../session.ts';
import { badArgument, type Verb } from '../verb.ts';

/**
 * Strict enough that the name can stand in a Received field as it is, lenient enough for what machines call themselves:
 * underscores, no dot, an address without brackets. UTF-8 is not: nobody knows yet what this server can (RFC 6531 section 3.7.1).
 */
const name = /^(?:[A-Za-z0-9._:-]{1,255}|\[[A-Za-z0-9.:-]{1,64}\])$/;

async function greet(session: Session, verb: string, argument: string): Promise<Reply> {
  const given = argument.trim();
  if (!name.test(given)) return badArgument(`Syntax: ${verb} domain or address literal`);
  resetTransaction(session);
  const { settings } = session;
  const helo = { name: given, extended: verb !== 'HELO' };
  const result = await settings.run.stage('helo', {
    client: { ...clientOf(session), helo: given },
  });
  if (result.refused) return result.refused;
  session.helo = helo;
  session.heloTags = { tags: result.tags, discard: result.discard };

  const hello = `${settings.hostname} greets ${given}`;
  if (!helo.extended) return { code: 250, text: hello };
  const offered = extensions.map((extension) => extension.announce(session));
  return { code: 250, text: [hello, ...offered.filter((line) => line !== undefined)] };
}

const notHere = (verb: string) => reply(500, '5.5.1', `${verb} is not for this service`);

export const ehlo: Verb = {
  name: 'EHLO',
  run: (session, argument) =>
    session.settings.kind === 'lmtp' ? notHere('EHLO') : greet(session, 'EHLO', argument),
};

export const helo: Verb = {
  name: 'HELO',
  run: (session, argument) =>
    session.settings.kind === 'lmtp' ? notHere('HELO') : greet(session, 'HELO', argument),
};

export const lhlo: Verb = {
  name: 'LHLO',
  run: (session, argument) =>
    session.settings.kind === 'lmtp' ? greet(session, 'LHLO', argument) : notHere('LHLO'),
};
