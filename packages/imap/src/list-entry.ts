/** What LIST knows of one name: a mailbox, a level above one, or a subscription without a mailbox. */
import type { MailboxInfo } from '@mail-server-kit/core';

export interface ListEntry {
  readonly name: string;
  /** Undefined: there is no mailbox of that name. */
  readonly info: MailboxInfo | undefined;
  readonly subscribed: boolean;
  readonly hasChildren: boolean;
}

/** The hierarchy delimiter of every name (core/store.ts). */
export const DELIMITER = '/';
