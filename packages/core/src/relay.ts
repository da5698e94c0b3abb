/** The contract for mail that leaves: whoever accepts it says which records make the commit that answers 250. */
import type { Address } from './address.ts';
import type { Envelope, Recipient } from './envelope.ts';
import type { Account } from './directory.ts';
import type { Content, Write } from './store.ts';

export interface Relay {
  /** Asked at RCPT. @throws MailError NOPERM, UNAVAILABLE, LIMIT */
  admit(
    recipient: Recipient,
    from: { reversePath: Address | undefined; account?: Account },
  ): Promise<void>;
  /** Writes that queue `content` for `envelope`; they become part of the commit of the message. */
  enqueue(envelope: Envelope, content: Content): readonly Write[];
}
