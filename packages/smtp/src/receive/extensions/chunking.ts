/**
 * CHUNKING (RFC 3030 section 2): BDAT tells how many octets follow, so nothing is searched for an end and no dots are
 * doubled. The octets of a chunk are read in every case, also after an error, or they would be taken for commands.
 */
import { Body } from '../body.ts';
import { receiveMessage } from '../message.ts';
import { tooBig } from '../pass.ts';
import { ourFault, reply, type Reply } from '../reply.ts';
import type { Chunks, Session, Transaction } from '../session.ts';
import { answer, notReady } from '../commands/data.ts';
import { badSequence, type Extension, type Verb } from '../verb.ts';

const argumentForm = /^([0-9]{1,20})(?: +(LAST))?$/i;

const bdat: Verb = {
  name: 'BDAT',
  async run(session, argument) {
    const form = argumentForm.exec(argument.trim());
    const size = Number(form?.[1] ?? NaN);
    const limit = session.settings.maxMessageOctets;
    // Nobody knows where the next command begins, or it is too far away to be waited for.
    if (!form)
      return { ...reply(501, '5.5.4', 'BDAT size [LAST]; closing the connection'), close: true };
    if (size > 2 * limit + 65_536) return { ...tooBig(limit), close: true };

    const { transaction } = session;
    // RFC 3030 section 2: after a refused chunk only RSET helps.
    const over = transaction?.chunks?.over
      ? badSequence('A chunk was refused, RSET first')
      : undefined;
    const refused = notReady(session) ?? over;
    if (refused || transaction === undefined) {
      await session.wire.readChunk(size, undefined);
      return refused;
    }
    const chunks = (transaction.chunks ??= begin(session, transaction));
    return form[2] === undefined ? more(session, chunks, size) : last(session, chunks, size);
  },
};

function begin(session: Session, transaction: Transaction): Chunks {
  const body = new Body();
  return { body, outcome: receiveMessage(session, transaction, body), over: false };
}

async function more({ wire }: Session, chunks: Chunks, size: number): Promise<Reply> {
  const { body } = chunks;
  await wire.readChunk(size, body);
  await body.dealtWith();
  if (!body.unwanted && !body.aborted) return reply(250, '2.0.0', `${size} octets received`);
  chunks.over = true;
  const outcome = await chunks.outcome;
  return 'refused' in outcome ? outcome.refused : ourFault;
}

async function last(session: Session, chunks: Chunks, size: number): Promise<Reply | undefined> {
  await session.wire.readChunk(size, chunks.body);
  chunks.over = true;
  chunks.body.end();
  return answer(session, await chunks.outcome);
}

export const chunking: Extension = {
  keyword: 'CHUNKING',
  announce: () => 'CHUNKING',
  verbs: [bdat],
};
