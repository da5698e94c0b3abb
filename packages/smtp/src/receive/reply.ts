/** What the server answers (RFC 5321 section 4.2), with the enhanced status code of RFC 3463. */
import type { MailError, Verdict } from '@mail-server-kit/core';

export interface Reply {
  readonly code: number;
  /** Absent in greetings, after HELO and EHLO, and with 3yz codes (RFC 2034 section 4). */
  readonly enhanced?: string;
  /** Several lines: a multiline reply (RFC 5321 section 4.2.1). */
  readonly text: string | readonly string[];
  /** The connection ends with it. */
  readonly close?: boolean;
}

export function reply(code: number, enhanced: string, text: string): Reply {
  return { code, enhanced, text };
}

/** Any fault of ours: the client shall try again, so no mail is lost by it. */
export const ourFault: Reply = reply(451, '4.3.0', 'Local error in processing, try again later');

export function replyOf(error: MailError): Reply {
  const [code, enhanced] = error.smtp;
  return reply(code, enhanced, error.message);
}

/** Undefined for verdicts that let the client go on. */
export function refusal(verdict: Verdict): Reply | undefined {
  if (verdict.kind !== 'reject' && verdict.kind !== 'defer') return undefined;
  const wrong = Math.floor(verdict.code / 100) !== (verdict.kind === 'reject' ? 5 : 4);
  // A filter that says "reject" with 2xx is broken; taking it by its word would lose or accept mail.
  if (wrong) return ourFault;
  return reply(verdict.code, verdict.enhanced, verdict.text);
}

/** Thrown while octets pass by: the message is refused with this reply. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(readonly reply: Reply) {
    super(String(reply.text));
  }
}

const MAX_TEXT = 500;
const MAX_CHALLENGE = 12_288;
const unprintable = /[^\x20-\x7e]/g;

/**
 * The octets of a reply. Only ASCII leaves, without control characters (RFC 6531 section 3.7.4.2: UTF-8 needs the
 * client's consent), so that no text of a filter or a client can split a reply. Lines stay below 512 octets (RFC 5321
 * section 4.5.3.1.5), but for challenges of AUTH (RFC 4954 section 4).
 */
export function printReply({ code, enhanced, text }: Reply): string {
  const lines = typeof text === 'string' ? [text] : text;
  const prefix = enhanced === undefined ? '' : `${enhanced} `;
  const limit = code === 334 ? MAX_CHALLENGE : MAX_TEXT;
  return lines
    .map((line, index) => {
      const said = `${prefix}${line}`.replace(unprintable, '?').slice(0, limit);
      return `${code}${index < lines.length - 1 ? '-' : ' '}${said}\r\n`;
    })
    .join('');
}
