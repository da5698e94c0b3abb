/**
 * What can go wrong, one row each, with one column per protocol that has to say so. Stores, directories and filters throw
 * reasons; protocols read their column. IMAP: RFC 5530 and RFC 9051 section 7.1; SMTP: RFC 5321 section 4.2 and the
 * registry of RFC 5248.
 */
const reasons = {
  /** The mailbox, account, message or record is not there. */
  NONEXISTENT: { imap: 'NONEXISTENT', smtp: [550, '5.1.1'] },
  ALREADYEXISTS: { imap: 'ALREADYEXISTS', smtp: [550, '5.3.0'] },
  /** The account's own limit of octets, messages or mailboxes. */
  OVERQUOTA: { imap: 'OVERQUOTA', smtp: [452, '4.2.2'] },
  /** The disk of the server has no room for more. What frees space still works. */
  FULL: { imap: 'OVERQUOTA', smtp: [452, '4.3.1'] },
  /** A limit of the store or server: keywords of a mailbox, uids, depth, length. */
  LIMIT: { imap: 'LIMIT', smtp: [452, '4.5.3'] },
  TOOBIG: { imap: 'TOOBIG', smtp: [552, '5.3.4'] },
  /** An `expect` of a commit did not hold; nothing was written. */
  CONFLICT: { imap: 'INUSE', smtp: [451, '4.3.0'] },
  NOPERM: { imap: 'NOPERM', smtp: [550, '5.7.1'] },
  CANNOT: { imap: 'CANNOT', smtp: [550, '5.3.3'] },
  /** A login was refused; the text never tells whether the account exists. */
  AUTHENTICATIONFAILED: { imap: 'AUTHENTICATIONFAILED', smtp: [535, '5.7.8'] },
  /** Who logged in may not use this protocol, or not act for that account. */
  AUTHORIZATIONFAILED: { imap: 'AUTHORIZATIONFAILED', smtp: [535, '5.7.8'] },
  /** Too many guesses or too many waiting; try again later. */
  THROTTLED: { imap: 'UNAVAILABLE', smtp: [454, '4.7.0'] },
  PRIVACYREQUIRED: { imap: 'PRIVACYREQUIRED', smtp: [538, '5.7.11'] },
  EXPIRED: { imap: 'EXPIRED', smtp: [535, '5.7.8'] },
  /** The octets of an expunged message are gone, though a snapshot still names it. */
  EXPUNGED: { imap: 'EXPUNGEISSUED', smtp: [451, '4.3.0'] },
  /** The change stream no longer reaches back to the cursor. */
  FORGOTTEN: { imap: 'UNAVAILABLE', smtp: [451, '4.3.0'] },
  /** Stored octets failed their checksum. */
  CORRUPTION: { imap: 'CORRUPTION', smtp: [451, '4.3.0'] },
  /** Nothing was written; trying again may help. */
  UNAVAILABLE: { imap: 'UNAVAILABLE', smtp: [451, '4.3.0'] },
  /** It is not known whether it was written: ask again with the same commit id. */
  UNKNOWN: { imap: 'UNAVAILABLE', smtp: [451, '4.3.0'] },
} as const satisfies Record<string, { imap: string; smtp: readonly [number, string] }>;

export type Reason = keyof typeof reasons;

export interface MailErrorOptions {
  /** What only the operator may see. */
  cause?: unknown;
  /** Index of the write of a commit that is to blame, so that LMTP can answer per recipient. */
  write?: number;
}

/** `text` is said to the client; what only the operator may see goes into `cause`. */
export class MailError extends Error {
  override readonly name = 'MailError';
  readonly write: number | undefined;

  constructor(
    readonly code: Reason,
    text: string,
    options: MailErrorOptions = {},
  ) {
    super(text, 'cause' in options ? { cause: options.cause } : undefined);
    this.write = options.write;
  }

  /** The response code of RFC 5530, without brackets. */
  get imap(): string {
    return reasons[this.code].imap;
  }

  /** Reply code and enhanced status code (RFC 3463). */
  get smtp(): readonly [code: number, enhanced: string] {
    return reasons[this.code].smtp;
  }
}

/** Looks at name and code, never `instanceof`: an ESM and a CJS build in one process have two classes. */
export function isMailError(error: unknown, ...codes: readonly Reason[]): error is MailError {
  if (!(error instanceof Error) || error.name !== 'MailError') return false;
  const { code } = error as MailError;
  return Object.hasOwn(reasons, code) && (codes.length === 0 || codes.includes(code));
}
