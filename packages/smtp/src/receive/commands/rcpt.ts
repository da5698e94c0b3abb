/** RCPT (RFC 5321 section 4.1.1.3). Whatever can be wrong with a recipient is said here. */
import { parseForwardPath } from '@mail-server-kit/core';
import { rcptParameters } from '../extensions/index.ts';
import { parsePathCommand } from '../parameters.ts';
import { routeRecipient } from '../recipients.ts';
import { reply } from '../reply.ts';
import { clientOf, type Session, type Transaction } from '../session.ts';
import { badSequence, type NewRecipient, type Verb } from '../verb.ts';
import { needsUtf8, takeParameters } from './mail.ts';

const badPath = reply(501, '5.1.3', 'Syntax: RCPT TO:<address> [parameters]');
const tooMany = reply(452, '4.5.3', 'Too many recipients');
const notAscii = /[^\0-\x7f]/;

export const rcpt: Verb = {
  name: 'RCPT',
  async run(session, argument) {
    const { settings, transaction } = session;
    if (transaction === undefined) return badSequence('MAIL first');
    if (transaction.chunks) return badSequence('The message has begun, RSET first');
    const command = parsePathCommand('TO', argument);
    const forwardPath = command && parseForwardPath(command.path);
    if (command === undefined || forwardPath === undefined) return badPath;
    const recipient: NewRecipient = { forwardPath };
    const wrong = takeParameters(command.parameters, rcptParameters, recipient, session);
    if (wrong) return wrong;
    const { envelope } = transaction;
    if (notAscii.test(command.path) && !envelope.smtpUtf8) return needsUtf8;

    if (
      transaction.asked >= settings.maxRecipients ||
      mustComeAlone(session, transaction, recipient)
    )
      return tooMany;
    transaction.asked++;
    const routed = await routeRecipient(session, recipient);
    if ('refused' in routed) return routed.refused;
    const result = await settings.run.stage('rcpt', {
      client: clientOf(session),
      reversePath: envelope.reversePath,
      forwardPath,
    });
    if (result.refused) return result.refused;
    transaction.recipients.push({
      recipient,
      destinations: routed.destinations,
      tags: result.tags,
      discard: result.discard,
    });
    return reply(250, '2.1.5', 'Recipient accepted');
  },
};

/** See separated.ts. */
function mustComeAlone(
  { settings }: Session,
  { envelope, recipients }: Transaction,
  { forwardPath }: NewRecipient,
): boolean {
  const first = recipients[0];
  if (first === undefined || settings.kind === 'lmtp') return false;
  const { separated } = settings;
  return (
    separated.has(envelope.reversePath, forwardPath) ||
    separated.has(envelope.reversePath, first.recipient.forwardPath)
  );
}
