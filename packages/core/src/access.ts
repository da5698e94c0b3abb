/**
 * Who acts on whose mail: one permission check, in front of the store, so that no command can forget it. A protocol
 * session gets the store that `access.storeFor` returns and never sees the store itself.
 */
import type { AccountId } from './numbers.ts';
import type { MailStore } from './store.ts';

export interface Access {
  /**
   * The store as `actor` may use it. What it may not even look up is NONEXISTENT, what it may not do NOPERM (RFC 4314
   * section 6 asks that a mailbox without the `l` right is not told from one that is not there).
   */
  storeFor(actor: AccountId): MailStore;
}
