/**
 * \Recent of IMAP4rev1 (RFC 3501 section 2.3.2): a message is recent to the first session that may write and is told of
 * it. Kept in the process only: what arrived since the server started, and was told to nobody yet, is recent.
 */
import type { MailboxId, MailboxSnapshot } from '@mail-server-kit/core';

/** Mailboxes remembered. Of those forgotten, what came since the start is recent once more, which does no harm. */
const REMEMBERED = 100_000;

export class Recent {
  /** The first uid that was told to nobody. */
  readonly #from = new Map<MailboxId, number>();
  readonly #since: number;

  constructor(since: number) {
    this.#since = since;
  }

  /** The first uid of `snapshot` that is recent to who asks; with `claim` it is so to nobody after. */
  firstOf(snapshot: MailboxSnapshot, claim: boolean): number {
    const { mailbox, uidNext } = snapshot;
    const from = this.#from.get(mailbox) ?? this.#arrived(snapshot);
    if (claim) {
      this.#from.delete(mailbox);
      this.#from.set(mailbox, Math.max(from, uidNext));
      if (this.#from.size > REMEMBERED) this.#from.delete(this.#from.keys().next().value!);
    }
    return from;
  }

  #arrived(snapshot: MailboxSnapshot): number {
    let first: number = snapshot.uidNext;
    for (let i = snapshot.blocks.length - 1; i >= 0; i--) {
      const { uid, saveDate } = snapshot.blocks[i]!;
      for (let row = uid.length - 1; row >= 0; row--) {
        if ((saveDate[row] as number) <= this.#since) return first;
        first = uid[row] as number;
      }
    }
    return first;
  }
}
