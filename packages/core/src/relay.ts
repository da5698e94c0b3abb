/** The contract for mail that leaves: whoever accepts it says which records make the commit that answers 250. */
import type { Address } from './address.ts';
import type { Envelope, Recipient } from './envelope.ts';
import type { Account } from './directory.ts';
import type { Content, Write } from './store.ts';

export interface Relay {
  /**
   * Asked at RCPT. For a report of our own it is asked with the null reverse-path and without an account.
   * @throws MailError NOPERM, UNAVAILABLE, LIMIT
   */
  admit(
    recipient: Recipient,
    from: { reversePath: Address | undefined; account?: Account },
  ): Promise<void>;
  /**
   * Writes that queue `content` for `envelope`; they become part of the commit of the message. RET, ENVID, NOTIFY and ORCPT
   * go along with it, or are answered by the relay where the next server does not know them (RFC 3461 sections 5.2.1 and 5.2.2).
   */
  enqueue(envelope: Envelope, content: Content): readonly Write[];
}
