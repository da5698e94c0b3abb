/** Rights of RFC 4314 section 2.1, and what is known of ACLs. */
import type { AccountId, MailboxId } from '../numbers.ts';
import type { MailboxInfo, MailStore } from '../store.ts';

/** Lookup, read, \Seen, other flags, insert, create, delete, \Deleted, expunge, administer. */
export type Right = 'l' | 'r' | 's' | 'w' | 'i' | 'k' | 'x' | 't' | 'e' | 'a';

export const ownerRights = 'lrswipkxtea';

/** Everybody who has an account (RFC 4314 section 2). */
const anyone = 'anyone' as AccountId;

export type Guarded = Pick<MailboxInfo, 'id' | 'account' | 'name' | 'acl'>;

/** The letters that `actor` has on a mailbox, by name and as one of all, in the order of RFC 4314. */
export function rightsOf(mailbox: Pick<MailboxInfo, 'account' | 'acl'>, actor: AccountId): string {
  if (mailbox.account === actor) return ownerRights;
  const granted = mailbox.acl
    .filter(([who]) => who === actor || who === anyone)
    .map(([, rights]) => rights)
    .join('');
  return Array.from(ownerRights)
    .filter((right) => granted.includes(right))
    .join('');
}

/** The right that it takes to change a flag (RFC 4314 section 4). */
export function rightToFlag(flag: string): Right {
  const lower = flag.toLowerCase();
  if (lower === '\\seen') return 's';
  return lower === '\\deleted' ? 't' : 'w';
}

/** Of mailboxes that are shared: a few, so all that were ever asked for are kept, until they change. */
export class AclCache {
  readonly #known = new Map<MailboxId, Guarded>();
  #changes = 0;

  constructor(readonly store: MailStore) {
    store.subscribe({}, ({ kind, mailbox }) => {
      if (kind !== 'mailbox' && kind !== 'account') return;
      this.#changes++;
      if (mailbox === undefined) this.#known.clear();
      else this.#known.delete(mailbox);
    });
  }

  get(mailbox: MailboxId): Guarded | undefined {
    return this.#known.get(mailbox);
  }

  /** What `actor` has and what others let it see. */
  async load(actor: AccountId): Promise<readonly MailboxInfo[]> {
    const before = this.#changes;
    const all = await this.store.mailboxes(actor, { shared: true });
    // What changed meanwhile may be newer than what was read: then it serves once, and the next one asks again.
    if (before === this.#changes) {
      for (const { id, account, name, acl } of all) {
        if (account !== actor) this.#known.set(id, { id, account, name, acl });
      }
    }
    return all;
  }
}
