/** DATA (RFC 5321 section 4.1.1.4), and the answer to a message however it came. */
import { receiveMessage, type Outcome } from '../message.ts';
import type { Reply } from '../reply.ts';
import { resetTransaction, type Session } from '../session.ts';
import { badSequence, noArgument, type Verb } from '../verb.ts';

export const data: Verb = {
  name: 'DATA',
  async run(session, argument) {
    const { transaction, wire } = session;
    const refused = noArgument('DATA', argument) ?? notReady(session);
    if (refused || transaction === undefined) return refused;
    // RFC 3030 section 2: DATA and BDAT do not mix in one transaction.
    if (transaction.chunks) return badSequence('The message has begun with BDAT');
    wire.send({ code: 354, text: 'End data with <CR><LF>.<CR><LF>' });
    const body = wire.readData();
    const outcome = await receiveMessage(session, transaction, body);
    // A refused message is read to its end, or its lines would be taken for commands.
    await body.closed();
    return answer(session, outcome);
  },
};

/** Why no message can come now. */
export function notReady({ transaction }: Session): Reply | undefined {
  if (transaction === undefined) return badSequence('MAIL first');
  return transaction.recipients.length === 0 ? badSequence('RCPT first') : undefined;
}

/** Ends the transaction. LMTP has a reply for each recipient that was accepted (RFC 2033 section 4.2). */
export function answer(session: Session, outcome: Outcome): Reply | undefined {
  const recipients = session.transaction?.recipients ?? [];
  resetTransaction(session);
  if (session.settings.kind !== 'lmtp')
    return 'refused' in outcome ? outcome.refused : outcome.each[0];
  const replies = 'refused' in outcome ? recipients.map(() => outcome.refused) : outcome.each;
  for (const one of replies.slice(0, -1)) session.wire.send(one);
  return replies.at(-1);
}
