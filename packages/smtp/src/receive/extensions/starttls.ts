/**
 * STARTTLS (RFC 3207). What the client sent in plaintext behind the command is thrown away with the parser that holds it,
 * and the session forgets all that it learned before (section 4.2): else whoever can write into the plaintext connection
 * could put commands in front of the client's own.
 */
import { reply } from '../reply.ts';
import type { Session } from '../session.ts';
import { badSequence, noArgument, type Extension, type Verb } from '../verb.ts';

const verb: Verb = {
  name: 'STARTTLS',
  run(session, argument) {
    const wrong = noArgument('STARTTLS', argument);
    if (wrong) return wrong;
    if (session.secure) return badSequence('TLS is active already');
    if (!offered(session)) return reply(502, '5.5.1', 'STARTTLS is not offered');
    session.wire.send(reply(220, '2.0.0', 'Go ahead'));
    session.wire.startTls();
    return undefined;
  },
};

function offered({ secure, settings }: Session): boolean {
  return !secure && settings.tls !== undefined;
}

export const starttls: Extension = {
  keyword: 'STARTTLS',
  announce: (session) => (offered(session) ? 'STARTTLS' : undefined),
  verbs: [verb],
};
