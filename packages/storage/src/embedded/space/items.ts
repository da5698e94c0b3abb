/**
 * What changes are about: a mailbox with its expunged messages, an account, a space of records, the counters. Each is folded
 * by itself: its whole state as of an LSN makes all changes of it up to there superfluous.
 */
import type { AccountId, MailboxId } from '@mail-server-kit/core';
import type { Delta } from '../../state/delta.ts';
import { ROW_OCTETS } from '../../state/columns.ts';

/** `m`, `a` or `s` and the id; `c` for the counters. */
export type ItemKey = string;

export interface Item {
  readonly key: ItemKey;
  /** Of a mailbox: whose it is. Otherwise ''. */
  readonly account: AccountId | '';
}

const counters: Item = { key: 'c', account: '' };

export const accountItem = (account: AccountId): Item => ({ key: `a${account}`, account: '' });
export const spaceItem = (space: string): Item => ({ key: `s${space}`, account: '' });
/** Expunged messages belong to the mailbox where they were. */
export const mailboxItem = (mailbox: MailboxId, account: AccountId | ''): Item => ({
  key: `m${mailbox.startsWith('~') ? mailbox.slice(1) : mailbox}`,
  account,
});

/** What a change is about. The end of a mailbox is news for its account too. */
export function itemsOf(delta: Delta): Item[] {
  switch (delta.kind) {
    case 'counters':
      return [counters];
    case 'account':
    case 'accountGone':
    case 'names':
    case 'accountState':
      return [accountItem(delta.account)];
    case 'record':
    case 'recordGone':
    case 'spaceState':
    case 'floor':
      return [spaceItem(delta.space)];
    case 'mailboxGone':
      return [mailboxItem(delta.mailbox, delta.account), accountItem(delta.account)];
    default:
      return [mailboxItem(delta.mailbox, delta.account)];
  }
}

/** About how many octets it takes in a commit. */
export function octetsOf(delta: Delta): number {
  switch (delta.kind) {
    case 'rows':
      return 48 + delta.rows.uid.length * ROW_OCTETS;
    case 'flags':
      return 56 + 4 * delta.uids.length;
    case 'expunge':
      return 40 + 4 * delta.uids.length;
    case 'mailbox':
    case 'properties': {
      const { name, acl, metadata } = delta.properties;
      const attached = metadata.reduce(
        (sum, [entry, value]) => sum + entry.length + value.length,
        0,
      );
      return 56 + name.length + 24 * acl.length + attached;
    }
    case 'record':
    case 'recordGone':
      return 48 + delta.space.length + delta.key.length;
    case 'names':
      return 24 + delta.names.reduce((sum, name) => sum + name.length + 1, 0);
    default:
      return 40;
  }
}
