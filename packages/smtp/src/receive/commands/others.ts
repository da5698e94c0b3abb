/** The commands that need no more than a line (RFC 5321 sections 4.1.1.5 to 4.1.1.10). */
import { reply } from '../reply.ts';
import { resetTransaction } from '../session.ts';
import { badArgument, noArgument, type Verb } from '../verb.ts';

export const rset: Verb = {
  name: 'RSET',
  run(session, argument) {
    const wrong = noArgument('RSET', argument);
    if (!wrong) resetTransaction(session);
    return wrong ?? reply(250, '2.0.0', 'OK');
  },
};

export const noop: Verb = { name: 'NOOP', run: () => reply(250, '2.0.0', 'OK') };

export const quit: Verb = {
  name: 'QUIT',
  run: (_session, argument) =>
    noArgument('QUIT', argument) ?? { ...reply(221, '2.0.0', 'Bye'), close: true },
};

/** To tell who exists is to help spammers (RFC 5321 section 7.3); 252 is its answer for that. */
export const vrfy: Verb = {
  name: 'VRFY',
  run: (_session, argument) =>
    argument === ''
      ? badArgument('Syntax: VRFY address')
      : reply(252, '2.0.0', 'Send a message and see'),
};

export const expn: Verb = {
  name: 'EXPN',
  run: () => reply(502, '5.5.1', 'EXPN is not implemented'),
};

export const help: Verb = { name: 'HELP', run: () => reply(214, '2.0.0', 'See RFC 5321') };
