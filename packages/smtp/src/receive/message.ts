/**
 * One message, from its first octet to the answer: streamed into the store, seen by filters, then filed for all its
 * recipients in one commit. 250 is said only when that is durable; whatever is our fault is 4xx; and nothing is
 * delivered to some recipients of an SMTP message and not to others (separated.ts tells why).
 */
import { isMailError, type Facts, type MessageToFilter, type Stage } from '@mail-server-kit/core';
import type { Body } from './body.ts';
import { file, type Addressed } from './file.ts';
import { createPass, tooBig } from './pass.ts';
import { ourFault, Refused, reply, replyOf, type Reply } from './reply.ts';
import { clientOf, networkOf, type Accepted, type Session, type Transaction } from './session.ts';
import type { Settings } from './settings.ts';
import { missingFields, received, returnPath } from './trace.ts';
import type { Tags } from './filters.ts';

/** One answer for all; LMTP has one for each recipient too, in the order of their RCPTs (RFC 2033 section 4.2). */
export type Outcome = { readonly refused: Reply } | { readonly each: readonly Reply[] };

/** A message whose octets are staged. */
export interface Received {
  /** Of the commit, of the queue, of the Received field. */
  readonly id: string;
  readonly stage: Stage;
  readonly facts: Facts;
  readonly time: number;
  /** What is put on top: at final delivery `path` and `trace`, for a relay `trace` alone. */
  readonly path: string;
  readonly trace: string;
}

const differ = reply(
  451,
  '4.5.3',
  'The recipients would be answered differently; nothing was delivered, send it again',
);

/** Never throws. */
export async function receiveMessage(
  session: Session,
  transaction: Transaction,
  body: Body,
): Promise<Outcome> {
  const { store, random, clock, hostname, maxMessageOctets, uploads } = session.settings;
  const id = Buffer.from(random.bytes(16)).toString('hex');
  const { account, remoteAddress } = session;
  const upload = uploads.begin(remoteAddress);
  const pass = createPass({
    settings: session.settings,
    upload,
    addition: account && ((header) => missingFields(header, { id, hostname, time: clock.now() })),
  });
  const { size } = transaction.envelope;
  let stage: Stage | undefined;
  try {
    stage = await store.stage(pass.octets(body), {
      limit: maxMessageOctets,
      owner: account?.id ?? networkOf(remoteAddress),
      ...(size !== undefined && { sizeHint: Math.min(size, maxMessageOctets) }),
    });
    const time = clock.now();
    const only = transaction.recipients.length === 1 ? transaction.recipients[0] : undefined;
    const message = {
      id,
      stage,
      facts: pass.facts(),
      time,
      path: returnPath(transaction.envelope.reversePath),
      trace: received(session, {
        id,
        time,
        envelope: transaction.envelope,
        recipient: only?.recipient.forwardPath,
      }),
    };
    return await decide(session, transaction, message);
  } catch (error) {
    // A store that is full or closed refuses before it reads: then nobody else says that the octets are not wanted.
    body.leave();
    if (error instanceof Refused) return { refused: error.reply };
    if (isMailError(error, 'TOOBIG')) return { refused: tooBig(maxMessageOctets) };
    if (isMailError(error, 'FULL')) return { refused: replyOf(error) };
    // A client that left needs no answer, and its leaving is no fault.
    if (!body.aborted) logFault(session, 'message failed', id, error);
    return { refused: ourFault };
  } finally {
    upload.end();
    // After a commit there is nothing left of it; nor does it take from one of which nobody knows whether it was made.
    if (stage)
      await store
        .discard(stage.stage)
        .catch((error) => logFault(session, 'discard failed', id, error));
  }
}

/** What is to happen for each recipient: delivered, thrown away, or refused. */
async function decide(
  session: Session,
  transaction: Transaction,
  message: Received,
): Promise<Outcome> {
  const { settings } = session;
  const accepted = reply(250, '2.0.0', `Accepted as ${message.id}`);
  const { recipients } = transaction;
  const toFilter = viewFor(session, transaction, message);
  const seen = await settings.run.stage('message', toFilter);
  if (seen.refused) return { refused: seen.refused };

  const replies = new Map<Accepted, Reply>();
  const addressed: Addressed[] = [];
  for (const recipient of recipients) {
    const { recipient: of } = recipient;
    const own = await settings.run.stage('deliver', { ...toFilter, recipient: of });
    const tags: readonly Tags[] = [
      ...transaction.tags,
      ...recipient.tags,
      ...seen.tags,
      ...own.tags,
    ];
    const gone = seen.discard || own.discard || transaction.discard || recipient.discard;
    const full = gone ? undefined : await doesNotFit(settings, recipient, sizeOf(message, tags));
    const refused = own.refused ?? full;
    if (refused) {
      replies.set(recipient, refused);
      continue;
    }
    replies.set(recipient, accepted);
    if (gone) continue;
    addressed.push({ recipient, tags });
  }

  const lmtp = settings.kind === 'lmtp';
  if (!lmtp && [...replies.values()].some((one) => one !== accepted)) {
    return { refused: oneReply(session, transaction, replies) };
  }
  const blamed = await file(session, transaction, message, addressed);
  for (const [recipient, answer] of blamed) replies.set(recipient, answer);
  if (blamed.size > 0 && !lmtp) return { refused: oneReply(session, transaction, replies) };
  settings.log({
    level: 'info',
    service: 'smtp',
    event: 'message received',
    connection: session.connection,
    id: message.id,
    size: message.stage.size,
    recipients: recipients.length,
    filed: addressed.length - blamed.size,
    score: addressed.flatMap(({ tags }) => tags).reduce((sum, { score = 0 }) => sum + score, 0),
  });
  return { each: recipients.map((recipient) => replies.get(recipient) ?? accepted) };
}

/** SMTP's single answer where at least one recipient cannot have the message. */
function oneReply(
  { settings }: Session,
  { envelope }: Transaction,
  replies: ReadonlyMap<Accepted, Reply>,
): Reply {
  const answers = [...replies.values()];
  const [first] = answers;
  if (first === undefined || answers.every((one) => one === first)) return first ?? ourFault;
  for (const [{ recipient }, one] of replies) {
    const own = one.code >= 400 && one !== ourFault;
    if (own) settings.separated.add(envelope.reversePath, recipient.forwardPath);
  }
  const kinds = new Set(answers.map(({ code }) => Math.floor(code / 100)));
  return kinds.size === 1 ? first : differ;
}

function sizeOf({ stage, path, trace }: Received, tags: readonly Tags[]): number {
  const headers = tags.flatMap((tag) => tag.headers ?? []);
  return [path, trace, ...headers].reduce((sum, text) => sum + Buffer.byteLength(text), stage.size);
}

/** With the real size; RCPT knew only what MAIL declared. */
async function doesNotFit(
  settings: Settings,
  { destinations }: Accepted,
  size: number,
): Promise<Reply | undefined> {
  for (const destination of destinations) {
    if (destination.to !== 'account') continue;
    const { used, limits } = await settings.store.usage(destination.account);
    if (size > (limits.messageOctets ?? Infinity)) {
      return reply(552, '5.3.4', 'The message is too big for this mailbox');
    }
    if (used.octets + size > (limits.octets ?? Infinity))
      return reply(452, '4.2.2', 'The mailbox is full');
  }
  return undefined;
}

function viewFor(
  session: Session,
  { envelope, recipients }: Transaction,
  { stage }: Received,
): MessageToFilter {
  return {
    client: clientOf(session),
    envelope: { ...envelope, recipients: recipients.map(({ recipient }) => recipient) },
    size: stage.size,
    read: (start, end) => session.settings.store.read({ stage: stage.stage }, start, end),
  };
}

function logFault(
  { settings, connection }: Session,
  event: string,
  id: string,
  error: unknown,
): void {
  settings.log({ level: 'error', service: 'smtp', event, connection, id, error });
}
