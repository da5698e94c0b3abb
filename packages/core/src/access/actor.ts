import { MailError } from '../errors.ts';
import type { AccountId, MailboxId } from '../numbers.ts';
import { isExpungedMailbox, type ExpungedInfo, type MailboxInfo } from '../store.ts';
import { rightsOf, type AclCache, type Guarded, type Right } from './rights.ts';

export const noSuchMailbox = () => new MailError('NONEXISTENT', 'No such mailbox');
export const notAllowed = () => new MailError('NOPERM', 'Permission denied');

/** One account and what it may do where. */
export class Actor {
  /** Mailboxes never change hands, so what was once its own is so for ever. */
  readonly #own = new Set<MailboxId>();

  constructor(
    readonly id: AccountId,
    readonly acls: AclCache,
  ) {}

  /** Without waiting: true only for what is known to be its own. */
  owns(mailbox: MailboxId): boolean {
    return this.#own.has(mailbox);
  }

  learn(mailbox: MailboxId): void {
    this.#own.add(mailbox);
  }

  /** Its own mailboxes and those that others let it see. */
  async visible(): Promise<readonly MailboxInfo[]> {
    const all = await this.acls.load(this.id);
    for (const { id, account } of all) if (account === this.id) this.learn(id);
    return all;
  }

  /** Its own expunged messages: those of a mailbox that it shares are the business of whoever owns that. */
  async expunged(): Promise<readonly ExpungedInfo[]> {
    const all = (await this.acls.store.expunged?.(this.id)) ?? [];
    for (const { id } of all) this.learn(id);
    return all;
  }

  /** @throws MailError NONEXISTENT without the right `l` */
  async find(
    mailbox: MailboxId,
  ): Promise<{ readonly owner: boolean; readonly rights: string; readonly mailbox: Guarded }> {
    const found = await this.#look(mailbox);
    if (!found) throw noSuchMailbox();
    const rights = rightsOf(found, this.id);
    if (!rights.includes('l')) throw noSuchMailbox();
    return { owner: found.account === this.id, rights, mailbox: found };
  }

  async #look(mailbox: MailboxId): Promise<Guarded | undefined> {
    if (isExpungedMailbox(mailbox)) {
      const own = (await this.expunged()).find(({ id }) => id === mailbox);
      return own && { ...own, acl: [] };
    }
    return this.acls.get(mailbox) ?? (await this.visible()).find(({ id }) => id === mailbox);
  }

  /** @returns all that it may do there. @throws MailError NONEXISTENT, NOPERM */
  async need(mailbox: MailboxId, ...needed: readonly Right[]): Promise<string> {
    const { rights } = await this.find(mailbox);
    if (!needed.every((right) => rights.includes(right))) throw notAllowed();
    return rights;
  }
}
