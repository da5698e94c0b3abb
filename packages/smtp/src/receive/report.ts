/**
 * What a sender reads who asked to hear of a delivery: a delivery status notification (RFC 3464) in a multipart/report
 * (RFC 6522), with the types of RFC 6533 where ASCII does not do.
 */
import {
  needsSmtpUtf8,
  parseDomain,
  printAddress,
  type Address,
  type Recipient,
} from '@mail-server-kit/core';
import { printDate } from './trace.ts';

export interface Reported {
  readonly recipient: Recipient;
  /** Expanded: it went on to several others, and more may be heard of it (RFC 3464 section 2.3.3). */
  readonly action: 'delivered' | 'expanded';
}

export interface Report {
  /** Of the message. No stranger can guess it, so it makes a boundary too. */
  readonly id: string;
  readonly hostname: string;
  readonly time: number;
  readonly to: Address;
  readonly envelopeId: string | undefined;
  /** Message-ID of the message, without angle brackets. */
  readonly messageId: string;
  readonly reported: readonly Reported[];
  /** The header of the message, without its blank line. */
  readonly header: Buffer;
}

/** The message, without trace fields. */
export function printReport(report: Report): Buffer {
  const { id, hostname, time, to, messageId, header } = report;
  const boundary = `=_${id}`;
  const parts = [
    part(textType, Buffer.from(explanation(report))),
    part(statusType, Buffer.from(deliveryStatus(report))),
    // RFC 3461 section 4.3: RET is about failures; of what was delivered only the header is returned.
    ...(header.length > 0 ? [part(headerType, header)] : []),
  ];
  const isAscii = parts.every(({ ascii }) => ascii);
  // In brackets it must not say more than an id.
  const about = /^[!-;=?-~]{1,200}$/.test(messageId)
    ? [`In-Reply-To: <${messageId}>`, `References: <${messageId}>`]
    : [];
  const top = lines(
    `From: Mail Delivery System <postmaster@${hostname}>`,
    `To: <${printAddress(to)}>`,
    'Subject: Your message was delivered',
    `Date: ${printDate(time)}`,
    `Message-ID: <${id}.dsn@${hostname}>`,
    ...about,
    // So that no vacation responder answers it (RFC 3834 section 5).
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;',
    `\tboundary="${boundary}"`,
    ...(isAscii ? [] : ['Content-Transfer-Encoding: 8bit']),
    '',
  );
  const body = parts.flatMap(({ octets }) => [Buffer.from(`\r\n--${boundary}\r\n`), octets]);
  return Buffer.concat([Buffer.from(top), ...body, Buffer.from(`\r\n--${boundary}--\r\n`)]);
}

function part(
  typeOf: (octets: Buffer, ascii: boolean) => string,
  octets: Buffer,
): { readonly ascii: boolean; readonly octets: Buffer } {
  const ascii = octets.every((octet) => octet < 0x80);
  const encoding = ascii ? [] : ['Content-Transfer-Encoding: 8bit'];
  const top = lines(`Content-Type: ${typeOf(octets, ascii)}`, ...encoding, '');
  return { ascii, octets: Buffer.concat([Buffer.from(top), octets]) };
}

const textType = (_: Buffer, ascii: boolean) =>
  `text/plain; charset=${ascii ? 'us-ascii' : 'utf-8'}`;
const statusType = (_: Buffer, ascii: boolean) =>
  ascii ? 'message/delivery-status' : 'message/global-delivery-status';
/** message/global-headers is UTF-8 (RFC 6533 section 4.3), and what old clients write is not. */
const headerType = (octets: Buffer, ascii: boolean) =>
  ascii || Buffer.compare(Buffer.from(octets.toString()), octets) !== 0
    ? 'text/rfc822-headers'
    : 'message/global-headers';

function explanation({ hostname, reported }: Report): string {
  const list = (action: Reported['action'], said: readonly string[]) => {
    const which = reported.filter((one) => one.action === action);
    const addresses = which.map(
      ({ recipient }) => `    ${printAddress(recipient.forwardPath, { utf8: true })}`,
    );
    return which.length === 0 ? [] : ['', ...said, '', ...addresses];
  };
  return lines(
    `This is the mail system at ${hostname}, which you asked for this report.`,
    ...list('delivered', ['Your message is in the mailbox of:']),
    ...list('expanded', [
      'Your message reached these addresses, and from there went on to several others.',
      'You will hear of those only if it cannot be delivered:',
    ]),
  );
}

/** Per-message fields, then a group for each recipient (RFC 3464 section 2.1, RFC 3461 section 6.3). */
function deliveryStatus({ hostname, time, envelopeId, reported }: Report): string {
  // RFC 3461 section 6.3 (b).
  const qualified = hostname.includes('.') && parseDomain(hostname) !== undefined;
  return lines(
    ...(envelopeId === undefined ? [] : [`Original-Envelope-Id: ${envelopeId}`]),
    `Reporting-MTA: ${qualified ? 'dns' : 'x-local-hostname'}; ${hostname}`,
    `Arrival-Date: ${printDate(time)}`,
    ...reported.flatMap(({ recipient, action }) => [
      '',
      ...originalRecipient(recipient),
      `Final-Recipient: ${finalRecipient(recipient.forwardPath)}`,
      `Action: ${action}`,
      'Status: 2.1.5',
    ]),
  );
}

function originalRecipient({ originalRecipient }: Recipient): string[] {
  if (originalRecipient === undefined) return [];
  const { type, address } = originalRecipient;
  return [`Original-Recipient: ${type}; ${type === 'utf-8' ? unicode(address) : address}`];
}

function finalRecipient(address: Address): string {
  return needsSmtpUtf8(address)
    ? `utf-8; ${printAddress(address, { utf8: true })}`
    : `rfc822; ${printAddress(address)}`;
}

/** The form without `\x{...}` (RFC 6533 section 4.1). What stands for a control character stays: it would end the field. */
function unicode(address: string): string {
  return address.replace(/\\x\{([0-9A-F]{2,6})\}/g, (escape: string, hex: string) => {
    const point = parseInt(hex, 16);
    const printable =
      point >= 0x20 && point < 0x11_0000 && !/[\p{Cc}\p{Cs}]/u.test(String.fromCodePoint(point));
    return printable ? String.fromCodePoint(point) : escape;
  });
}

function lines(...text: readonly string[]): string {
  return text.map((line) => `${line}\r\n`).join('');
}
