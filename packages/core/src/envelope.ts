/** What MAIL and RCPT said (RFC 5321 section 2.3.1): the SMTP envelope. IMAP's ENVELOPE is something else. */
import type { Address } from './address.ts';

/** RFC 3461 section 4.1. */
export type DsnNotify = 'never' | readonly ('success' | 'failure' | 'delay')[];

export interface Recipient {
  readonly forwardPath: Address;
  readonly notify?: DsnNotify;
  /** ORCPT, decoded from xtext: address type and address (RFC 3461 section 4.2). */
  readonly originalRecipient?: { readonly type: string; readonly address: string };
}

export interface Envelope {
  /** Undefined: the null reverse-path `<>`. */
  readonly reversePath: Address | undefined;
  readonly recipients: readonly Recipient[];
  /** SIZE as declared, octets (RFC 1870). */
  readonly size?: number;
  readonly body?: '7BIT' | '8BITMIME' | 'BINARYMIME';
  readonly smtpUtf8?: boolean;
  /** RET of RFC 3461 section 4.3. */
  readonly ret?: 'FULL' | 'HDRS';
  /** ENVID, decoded from xtext (RFC 3461 section 4.4). */
  readonly envelopeId?: string;
}
