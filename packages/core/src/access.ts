/**
 * Who acts on whose mail: one permission check, in front of the store, so that no command can forget it. A protocol
 * session gets the store that `access.storeFor` returns and never sees the store itself.
 */
import { randomUUID } from 'node:crypto';
import { GuardedStore } from './access/guarded-store.ts';
import { AclCache } from './access/rights.ts';
import { asId, type AccountId, type MailboxId } from './numbers.ts';
import type { MailStore } from './store.ts';

export interface Access {
  /**
   * The store as `actor` may use it. What it may not even look up is NONEXISTENT, what it may not do NOPERM (RFC 4314
   * section 6 asks that a mailbox without the `l` right is not told from one that is not there).
   */
  storeFor(actor: AccountId): MailStore;
}

export interface AccessOptions {
  readonly store: MailStore;
  /** Ids for mailboxes made under those of others. Default: random UUIDs. */
  readonly mailboxId?: () => MailboxId;
}

/**
 * The owner may do everything to their mail, others what the ACL of a mailbox says (RFC 4314); its identifiers are account
 * ids and `anyone`. Nobody may touch records or accounts through it: those are for services, which have the store itself.
 * Closing a store made by it closes nothing. It follows changes of ACLs for as long as `store` is open.
 */
export function createAccess({
  store,
  mailboxId = () => asId<MailboxId>(randomUUID()),
}: AccessOptions): Access {
  const acls = new AclCache(store);
  return { storeFor: (actor) => new GuardedStore(store, actor, acls, mailboxId) };
}
