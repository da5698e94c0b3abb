/** The fields that a server puts on top of a message (RFC 5321 section 4.4) and a submission server adds (RFC 6409 section 8). */
import { printAddress, needsSmtpUtf8, type Address, type Envelope } from '@mail-server-kit/core';
import type { HeaderWatch } from './header.ts';
import type { Session } from './session.ts';

/** RFC 5322 section 3.3, in UTC. */
export function printDate(time: number): string {
  return new Date(time).toUTCString().replace('GMT', '+0000');
}

/** Only at final delivery: where a message leaves the mail system, the envelope's sender is kept (RFC 5321 section 4.4). */
export function returnPath(reversePath: Address | undefined): string {
  return `Return-Path: <${reversePath ? printAddress(reversePath) : ''}>\r\n`;
}

/** The protocol types of RFC 3848 and, for SMTPUTF8, of RFC 6531 section 4.3. */
export function withProtocol(session: Session, { smtpUtf8 }: Pick<Envelope, 'smtpUtf8'>): string {
  const { helo, secure, account, settings } = session;
  const name = settings.kind === 'lmtp' ? 'LMTP' : 'SMTP';
  const extended = smtpUtf8 ? `UTF8${name}` : name === 'SMTP' && helo?.extended ? 'ESMTP' : name;
  return `${extended}${secure ? 'S' : ''}${account ? 'A' : ''}`;
}

/**
 * `for` names the recipient only if there is one: with more it would tell each of the others (RFC 5321 section 7.2).
 * What TLS was agreed on stands in a comment; the client's name and address as they were, not as they claim.
 */
export function received(
  session: Session,
  about: {
    readonly id: string;
    readonly time: number;
    readonly envelope: Pick<Envelope, 'smtpUtf8'>;
    readonly recipient: Address | undefined;
  },
): string {
  const { helo, remoteAddress, settings } = session;
  const literal = remoteAddress.includes(':') ? `IPv6:${remoteAddress}` : remoteAddress;
  const from = `from ${helo?.name ?? 'unknown'}${remoteAddress === '' ? '' : ` ([${literal}])`}`;
  const tls = session.tls ? ` (${session.tls.protocol} ${session.tls.cipher})` : '';
  const by = `by ${settings.hostname} with ${withProtocol(session, about.envelope)}${tls} id ${about.id}`;
  const { recipient, envelope } = about;
  // In a header without SMTPUTF8 there is no way to write it.
  const hidden = recipient === undefined || (needsSmtpUtf8(recipient) && !envelope.smtpUtf8);
  const forWhom = hidden ? '' : `for <${printAddress(recipient)}>`;
  return `Received: ${from}\r\n\t${by}${forWhom ? `\r\n\t${forWhom}` : ''};\r\n\t${printDate(about.time)}\r\n`;
}

/** Date and Message-ID are added to what our own users send (RFC 6409 sections 8.2 and 8.3), never to mail of others. */
export function missingFields(
  { count }: HeaderWatch,
  { id, hostname, time }: { id: string; hostname: string; time: number },
): string {
  const date = count.date === 0 ? `Date: ${printDate(time)}\r\n` : '';
  return count['message-id'] === 0 ? `${date}Message-ID: <${id}@${hostname}>\r\n` : date;
}
