/** Mailbox ids by account and name, so that a delivery need not list an account's mailboxes each time. */
import type { AccountId, MailboxId, MailStore } from '@mail-server-kit/core';

export interface MailboxNames {
  /** The mailbox of that name, or INBOX if it is gone: a filing rule must not lose mail. */
  find(account: AccountId, name: string | undefined): Promise<MailboxId>;
  forget(account: AccountId): void;
  close(): void;
}

const MAX_ACCOUNTS = 10_000;

interface Known {
  readonly ids: Promise<ReadonlyMap<string, MailboxId>>;
  readonly unsubscribe: () => void;
}

export function createMailboxNames(store: MailStore): MailboxNames {
  const known = new Map<AccountId, Known>();

  function forget(account: AccountId): void {
    known.get(account)?.unsubscribe();
    known.delete(account);
  }

  async function list(account: AccountId): Promise<ReadonlyMap<string, MailboxId>> {
    const mailboxes = await store.mailboxes(account);
    return new Map(
      mailboxes.filter((mailbox) => mailbox.account === account).map(({ name, id }) => [name, id]),
    );
  }

  function ids(account: AccountId): Promise<ReadonlyMap<string, MailboxId>> {
    const found = known.get(account);
    if (found) return found.ids;
    if (known.size >= MAX_ACCOUNTS) forget(known.keys().next().value as AccountId);
    // Subscribed first, then read: no change falls between. New messages change no name.
    const unsubscribe = store.subscribe({ accounts: [account] }, (change) => {
      if (change.kind !== 'messages') forget(account);
    });
    const entry: Known = { ids: list(account), unsubscribe };
    known.set(account, entry);
    entry.ids.catch(() => {
      if (known.get(account) === entry) forget(account);
    });
    return entry.ids;
  }

  return {
    async find(account, name) {
      const names = await ids(account);
      const id = (name === undefined ? undefined : names.get(name)) ?? names.get('INBOX');
      if (id !== undefined) return id;
      forget(account);
      // The directory names an account that the store has not: ours to repair, and the mail waits for it.
      throw new Error(`account ${account} has no INBOX`);
    },
    forget,
    close() {
      for (const account of [...known.keys()]) forget(account);
    },
  };
}
