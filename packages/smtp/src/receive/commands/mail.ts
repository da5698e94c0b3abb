/** MAIL (RFC 5321 section 4.1.1.2): begins a transaction. */
import { parseReversePath } from '@mail-server-kit/core';
import { mailParameters } from '../extensions/index.ts';
import { parsePathCommand, type Parameter } from '../parameters.ts';
import { reply, type Reply } from '../reply.ts';
import { clientOf, type Session } from '../session.ts';
import {
  badArgument,
  badSequence,
  type NewEnvelope,
  type TakeParameter,
  type Verb,
} from '../verb.ts';

const badPath = reply(501, '5.1.7', 'Syntax: MAIL FROM:<address> [parameters]');
const notAscii = /[^\0-\x7f]/;

export const mail: Verb = {
  name: 'MAIL',
  async run(session, argument) {
    const { settings, account } = session;
    if (session.helo === undefined)
      return badSequence(`${settings.kind === 'lmtp' ? 'LHLO' : 'EHLO'} first`);
    if (session.transaction) return badSequence('A transaction is open, RSET first');
    if (settings.kind === 'submission' && account === undefined)
      return reply(530, '5.7.0', 'Authentication required');

    const command = parsePathCommand('FROM', argument);
    const path = command && parseReversePath(command.path);
    if (command === undefined || path === undefined) return badPath;
    const envelope: NewEnvelope = { reversePath: path.address };
    const wrong = takeParameters(command.parameters, mailParameters, envelope, session);
    if (wrong) return wrong;
    if (notAscii.test(command.path) && !envelope.smtpUtf8) return needsUtf8;

    if (account && path.address && !(await settings.directory.maySendAs(account, path.address))) {
      return reply(550, '5.7.1', 'You may not send with this address');
    }
    const result = await settings.run.stage('mail', {
      client: clientOf(session),
      reversePath: path.address,
    });
    if (result.refused) return result.refused;
    const { connectTags, heloTags } = session;
    session.transaction = {
      envelope: { ...envelope, recipients: [] },
      recipients: [],
      tags: [...connectTags.tags, ...heloTags.tags, ...result.tags],
      discard: connectTags.discard || heloTags.discard || result.discard,
      asked: 0,
    };
    return reply(250, '2.1.0', 'Sender accepted');
  },
};

/** RFC 6531 section 3.5. */
export const needsUtf8 = reply(553, '5.6.7', 'An address with UTF-8 needs SMTPUTF8');

/** What is unknown is 555 (RFC 5321 section 4.1.1.11); nothing may be said twice. */
export function takeParameters<Into>(
  parameters: readonly Parameter[],
  known: ReadonlyMap<string, TakeParameter<Into>>,
  into: Into,
  session: Session,
): Reply | undefined {
  const seen = new Set<string>();
  for (const { keyword, value } of parameters) {
    const take = known.get(keyword);
    if (take === undefined) return reply(555, '5.5.4', `Parameter ${keyword} is not known`);
    if (seen.has(keyword)) return badArgument(`Parameter ${keyword} was given twice`);
    seen.add(keyword);
    const wrong = take(value, into, session);
    if (wrong) return wrong;
  }
  return undefined;
}
