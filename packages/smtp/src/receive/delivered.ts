/**
 * Whom to tell that a message was delivered (RFC 3461 section 5.2.3): the writes that file or queue the report are part of
 * the commit of the message, so it is told if and only if it is true.
 */
import type { Address, Write } from '@mail-server-kit/core';
import { decodeStructure, factsOf } from '@mail-server-kit/mime';
import type { Addressed } from './file.ts';
import type { Received } from './message.ts';
import { routeRecipient } from './recipients.ts';
import { printReport, type Reported } from './report.ts';
import { returnPath } from './trace.ts';
import type { Destination, Session, Transaction } from './session.ts';

/** Of the message's header in a report. */
const MAX_HEADER = 64 * 1024;

/** @throws what the directory, the relay and the store throw */
export async function reportDelivery(
  session: Session,
  { envelope }: Transaction,
  message: Received,
  addressed: readonly Addressed[],
): Promise<readonly Write[]> {
  const { reversePath, envelopeId } = envelope;
  const reported = addressed.flatMap(({ recipient: { recipient, destinations } }): Reported[] => {
    const { notify = [] } = recipient;
    const action = actionFor(destinations);
    return action && notify !== 'never' && notify.includes('success')
      ? [{ recipient, action }]
      : [];
  });
  // RFC 3461 section 5.2: never to the null reverse-path.
  if (reversePath === undefined || reported.length === 0) return [];
  const destinations = await destinationsOf(session, message, reversePath);
  if (destinations.length === 0) return [];

  const { settings } = session;
  const octets = printReport({
    id: message.id,
    hostname: settings.hostname,
    time: message.time,
    to: reversePath,
    envelopeId,
    messageId: message.facts.thread.messageId,
    reported,
    // The sender may be forged: his mailbox shows nothing that a stranger wrote and no filter saw.
    header: isKnown(session) ? await headerOf(session, message) : Buffer.alloc(0),
  });
  return [
    ...(await appends(session, message, destinations, octets)),
    ...queued(session, destinations, octets),
  ];
}

const isKnown = ({ account, settings }: Session): boolean =>
  account !== undefined || settings.kind === 'lmtp';

/** Undefined: it went on to another server, which reports by itself (RFC 3461 section 5.2.1, aliases: section 5.2.7). */
function actionFor(destinations: readonly Destination[]): Reported['action'] | undefined {
  if (destinations.every(({ to }) => to === 'account')) return 'delivered';
  return destinations.length > 1 ? 'expanded' : undefined;
}

/**
 * Nowhere if the report cannot be sent. To other servers only for those who are known: the reverse-path of a stranger may
 * be forged, and its owner would get reports of mail that he never sent.
 */
async function destinationsOf(
  session: Session,
  { id }: Received,
  reversePath: Address,
): Promise<readonly Destination[]> {
  const { settings, connection } = session;
  const routed = await routeRecipient(
    session,
    { forwardPath: reversePath, notify: 'never' },
    {
      reversePath: undefined,
      isKnown: isKnown(session),
      octets: 0,
    },
  );
  if ('destinations' in routed) return routed.destinations;
  const { code, enhanced, text } = routed.refused;
  const reason = `${code} ${enhanced} ${text}`;
  settings.log({
    level: 'info',
    service: 'smtp',
    event: 'report not sent',
    connection,
    id,
    reason,
  });
  return [];
}

async function headerOf({ settings }: Session, message: Received): Promise<Buffer> {
  const { end } = decodeStructure(message.facts.structure).header;
  const source = { stage: message.stage.stage };
  const parts: Uint8Array[] = [];
  for await (const part of settings.store.read(source, 0, Math.min(end, MAX_HEADER)))
    parts.push(part);
  const octets = Buffer.concat(parts);
  // Whole lines, and not the empty one behind them.
  const blank = octets.indexOf('\r\n\r\n');
  if (octets.indexOf('\r\n') === 0) return Buffer.alloc(0);
  return octets.subarray(0, blank < 0 ? octets.lastIndexOf('\n') + 1 : blank + 2);
}

async function appends(
  { settings }: Session,
  { time }: Received,
  destinations: readonly Destination[],
  octets: Buffer,
): Promise<readonly Write[]> {
  const content = [Buffer.concat([Buffer.from(returnPath(undefined)), octets])];
  const facts = await factsOf(content);
  const writes = new Map<string, Write>();
  for (const destination of destinations) {
    if (destination.to !== 'account') continue;
    const mailbox = await settings.mailboxes.find(destination.account, destination.mailbox);
    writes.set(mailbox, {
      op: 'append',
      mailbox,
      content,
      facts,
      flags: destination.flags,
      internalDate: time,
    });
  }
  return [...writes.values()];
}

/** The envelope of RFC 3461 section 6.1. */
function queued(
  { settings }: Session,
  destinations: readonly Destination[],
  octets: Buffer,
): readonly Write[] {
  const recipients = destinations.flatMap((one) => (one.to === 'relay' ? [one.recipient] : []));
  if (recipients.length === 0 || settings.relay === undefined) return [];
  const ascii = octets.every((octet) => octet < 0x80);
  const header = octets.subarray(0, octets.indexOf('\r\n\r\n'));
  const smtpUtf8 = header.some((octet) => octet >= 0x80);
  return settings.relay.enqueue(
    {
      reversePath: undefined,
      recipients,
      ...(!ascii && { body: '8BITMIME' }),
      ...(smtpUtf8 && { smtpUtf8 }),
    },
    [octets],
  );
}
