/** AUTH (RFC 4954): PLAIN, LOGIN and SCRAM of package core, over TLS only, one login per connection. */
import {
  createSaslExchange,
  isMailError,
  isMechanismName,
  saslMechanisms,
  type MechanismName,
  type SaslExchange,
} from '@mail-server-kit/core';
import { decodeXtext } from '../parameters.ts';
import { reply, type Reply } from '../reply.ts';
import type { Session } from '../session.ts';
import { badArgument, badSequence, type Extension, type Verb } from '../verb.ts';

const notBase64 = reply(501, '5.5.2', 'That is not base64');
const cancelled = reply(501, '5.7.0', 'Authentication cancelled');
/** The same for every reason, so that nobody learns who exists. */
const failed = reply(535, '5.7.8', 'Authentication credentials invalid');
const later = reply(454, '4.7.0', 'Temporary authentication failure');

const verb: Verb = {
  name: 'AUTH',
  async run(session, argument) {
    if (session.settings.kind === 'lmtp') return reply(502, '5.5.1', 'AUTH is not offered');
    if (!session.secure) return reply(538, '5.7.11', 'Encryption required, STARTTLS first');
    if (session.helo === undefined) return badSequence('EHLO first');
    if (session.account) return badSequence('Authenticated already');
    if (session.transaction) return badSequence('Not within a transaction');
    // Outlook sends two spaces before the initial response.
    const [name = '', initial, ...more] = argument.split(/ +/);
    const mechanism = name.toUpperCase();
    if (more.length > 0) return badArgument('Syntax: AUTH mechanism [initial-response]');
    if (!isMechanismName(mechanism) || !offered(session).includes(mechanism)) {
      return reply(504, '5.5.4', 'Unrecognized authentication mechanism');
    }
    const response =
      initial === undefined ? undefined : initial === '=' ? Buffer.alloc(0) : decode(initial);
    if (initial !== undefined && response === undefined) return notBase64;
    return exchange(session, mechanism, response);
  },
};

function offered(session: Session): MechanismName[] {
  const { settings, secure, account } = session;
  if (settings.kind === 'lmtp' || !secure || account) return [];
  return saslMechanisms(settings.directory, { bindings: session.wire.bindings(), secure });
}

async function exchange(
  session: Session,
  name: MechanismName,
  initial: Buffer | undefined,
): Promise<Reply> {
  const { settings, connection, remoteAddress, secure } = session;
  const bindings = session.wire.bindings();
  const sasl = createSaslExchange(name, {
    directory: settings.directory,
    random: settings.random,
    context: {
      protocol: 'submission',
      secure,
      connection,
      ...(remoteAddress !== '' && { remoteAddress }),
    },
    ...(bindings && { bindings }),
  });
  try {
    return await converse(session, sasl, initial);
  } catch (error) {
    sasl.cancel();
    if (isMailError(error, 'THROTTLED', 'UNAVAILABLE')) return later;
    if (!isMailError(error, 'AUTHENTICATIONFAILED', 'AUTHORIZATIONFAILED', 'EXPIRED')) throw error;
    settings.log({
      level: 'info',
      service: 'smtp',
      event: 'login refused',
      connection,
      remoteAddress,
      mechanism: name,
    });
    session.badLogins++;
    if (session.badLogins < settings.limits.badLogins) return failed;
    session.wire.send(failed);
    return { ...reply(421, '4.7.0', 'Too many failed logins'), close: true };
  }
}

async function converse(
  session: Session,
  sasl: SaslExchange,
  initial: Buffer | undefined,
): Promise<Reply> {
  let step = await sasl.step(initial);
  while (step.kind === 'challenge') {
    const line = await ask(session, step.challenge);
    const response = line === '*' ? undefined : decode(line);
    if (response === undefined) {
      sasl.cancel();
      return line === '*' ? cancelled : notBase64;
    }
    step = await sasl.step(response);
  }
  // 235 cannot carry data (RFC 4954 section 4): it goes as a challenge, and an empty line is the answer.
  if (step.data) {
    const line = await ask(session, step.data);
    if (line !== '')
      return line === '*' ? cancelled : badArgument('An empty response was expected');
  }
  session.account = step.account;
  const { settings, connection } = session;
  settings.log({
    level: 'info',
    service: 'smtp',
    event: 'login',
    connection,
    account: step.account.id,
  });
  return reply(235, '2.7.0', 'Authentication successful');
}

function ask({ wire }: Session, challenge: Uint8Array): Promise<string> {
  const line = wire.readLine();
  wire.send({ code: 334, text: Buffer.from(challenge).toString('base64') });
  return line;
}

/** Strict: RFC 4954 section 4 wants 501 for what is not base64, and Node's decoder reads anything. */
function decode(text: string): Buffer | undefined {
  const octets = Buffer.from(text, 'base64');
  return octets.toString('base64') === text ? octets : undefined;
}

export const auth: Extension = {
  keyword: 'AUTH',
  announce(session) {
    const mechanisms = offered(session);
    return mechanisms.length === 0 ? undefined : `AUTH ${mechanisms.join(' ')}`;
  },
  verbs: [verb],
  mail: {
    /** Who sent it first, as another server says; RFC 4954 section 5 lets those who do not trust it forget it. */
    AUTH(value) {
      const known = value === '<>' || (value !== undefined && decodeXtext(value) !== undefined);
      return known ? undefined : badArgument('AUTH is <> or an address in xtext');
    },
  },
};
