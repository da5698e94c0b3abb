/** Names of mailboxes as a client of IMAP4rev1 writes them. */
import { decodeUtf7 } from '@mail-server-kit/core';
import { Problem } from './problem.ts';

/** @throws Problem if it is not modified UTF-7 */
export function mailboxOfUtf7(name: string): string {
  const decoded = decodeUtf7(name);
  if (decoded !== undefined) return decoded;
  throw new Problem('The mailbox name is not modified UTF-7 (RFC 3501 section 5.1.3)');
}
