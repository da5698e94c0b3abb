/** Accounts: made and removed whole, with mailboxes, address and password in one commit. */
import {
  MailError,
  asId,
  isMailError,
  printAddress,
  type Account,
  type AccountId,
  type Address,
  type Clock,
  type Limits,
  type Protocol,
  type Write,
} from '@mail-server-kit/core';
import type { HashedPassword, Passwords } from '../password.ts';
import { accountOf } from '../people.ts';
import { prepareNewPassword } from '../prepare.ts';
import { domainKey, keyOf, printScram, put, read, type LoginRecord } from '../records.ts';
import { addressOf, expectDomain, missing, type Changes } from './changes.ts';

export interface NewMailbox {
  readonly name: string;
  /** RFC 6154, with its backslash. */
  readonly specialUse?: string;
}

export interface NewAccountOptions {
  /** Default: all but POP3. */
  readonly protocols?: Iterable<Protocol>;
  readonly limits?: Partial<Limits>;
  /** Instead of those of createAccounts. */
  readonly newMailboxes?: readonly NewMailbox[];
}

export interface AccountManagement {
  /**
   * Makes the account with INBOX and the usual mailboxes, all subscribed, as one commit. Its id is random and opaque.
   * @throws MailError NONEXISTENT if the domain is not there, ALREADYEXISTS, CANNOT for a password that cannot be one, THROTTLED
   */
  addAccount(address: string, password: string, options?: NewAccountOptions): Promise<Account>;
  /** Its mail too, at once. Aliases to it stay and lead nowhere. @throws MailError NONEXISTENT */
  removeAccount(address: string): Promise<void>;
  account(address: string): Promise<Account | undefined>;
  /** Sorted by domain, then local part. */
  accounts(domain?: string): Promise<readonly Account[]>;
  /** Holds for the next login; sessions that stand are the protocols' business. @throws MailError NONEXISTENT, CANNOT, THROTTLED */
  setPassword(address: string, password: string): Promise<void>;
  /** All that are to be on. @throws MailError NONEXISTENT */
  setProtocols(address: string, protocols: Iterable<Protocol>): Promise<void>;
}

export interface AccountParts {
  readonly clock: Clock;
  readonly passwords: Passwords;
  readonly newMailboxes: readonly NewMailbox[];
}

/** POP3 is switched on per mailbox: its clients delete what they fetch. */
const usualProtocols: readonly Protocol[] = ['imap', 'submission', 'jmap', 'sieve', 'web'];

export function manageAccounts(changes: Changes, parts: AccountParts): AccountManagement {
  const { store, random, change, commit, domainOf, ownerOf, isTaken, addresses } = changes;
  const { clock, passwords } = parts;

  function loginRecord({ hash, scram }: HashedPassword): LoginRecord {
    return { hash, ...(scram ? { scram: printScram(scram) } : {}), changed: clock.now() };
  }

  /** Where the postmaster goes, the domain's next account takes over. */
  async function nextPostmaster(leaving: Address): Promise<Write[]> {
    const found = await read(store, 'domain', domainKey(leaving.domain));
    const theirs = found?.value.postmaster;
    if (!found || theirs !== printAddress(leaving)) return [];
    let heir: string | undefined;
    for await (const entry of addresses(leaving.domain)) {
      if ('account' in entry && entry.address !== theirs) {
        heir = entry.address;
        break;
      }
    }
    const { postmaster: _, ...record } = found.value;
    const key = domainKey(leaving.domain);
    return [
      { op: 'expectRecord', space: 'domain', key, version: found.version },
      put('domain', key, heir === undefined ? record : { ...record, postmaster: heir }),
    ];
  }

  return {
    async addAccount(text, password, options = {}) {
      const address = addressOf(text);
      const printed = printAddress(address);
      const { protocols = usualProtocols, limits, newMailboxes = parts.newMailboxes } = options;
      const prepared = prepareNewPassword(password);
      const exists = () => new MailError('ALREADYEXISTS', `The address ${printed} is taken`);
      // Said before the work of hashing, and checked again with the commit.
      await domainOf(address.domain);
      if (await isTaken(address)) throw exists();
      const hashed = await passwords.make('', prepared);

      return change(async () => {
        const domain = await domainOf(address.domain);
        const key = keyOf(address);
        if (await isTaken(address)) throw exists();
        const id = asId<AccountId>(Buffer.from(random.bytes(16)).toString('base64url'));
        const account = {
          address: printed,
          protocols: [...new Set(protocols)],
          created: clock.now(),
        };
        const domainName = domainKey(address.domain);
        const first = domain.value.postmaster === undefined;
        await commit([
          expectDomain(address.domain, domain.version),
          { op: 'expectRecord', space: 'address', key, version: 0 },
          { op: 'createAccount', account: id, ...(limits ? { limits } : {}) },
          ...newMailboxes.map(({ name, specialUse }): Write => ({
            ...{ op: 'createMailbox', account: id, name, subscribed: true },
            ...(specialUse === undefined ? {} : { specialUse }),
          })),
          put('address', key, { address: printed, account: id }),
          put('account', id, account),
          put('login', id, loginRecord(hashed)),
          ...(first ? [put('domain', domainName, { ...domain.value, postmaster: printed })] : []),
        ]);
        return accountOf(id, account);
      });
    },

    async removeAccount(text) {
      const address = addressOf(text);
      const key = keyOf(address);
      await change(async () => {
        const { id, version } = await ownerOf(address);
        const heir = await nextPostmaster(address);
        const records: Write[] = [
          { op: 'expectRecord', space: 'address', key, version },
          { op: 'deleteRecord', space: 'address', key },
          { op: 'deleteRecord', space: 'account', key: id },
          { op: 'deleteRecord', space: 'login', key: id },
          ...heir,
        ];
        await commit([...records, { op: 'destroyAccount', account: id }]).catch(
          (error: unknown) => {
            // Somebody destroyed the account in the store itself: what is left of it goes all the same.
            if (isMailError(error, 'NONEXISTENT')) return commit(records);
            throw error;
          },
        );
      });
    },

    async account(text) {
      const address = addressOf(text);
      const found = await read(store, 'address', keyOf(address));
      if (!found || !('account' in found.value)) return undefined;
      const { account: id } = found.value;
      const record = await read(store, 'account', id);
      return record && accountOf(id, record.value);
    },

    async accounts(domain) {
      const found: Account[] = [];
      for await (const entry of addresses(domain)) {
        if (!('account' in entry)) continue;
        const record = await read(store, 'account', entry.account);
        if (record) found.push(accountOf(entry.account, record.value));
      }
      return found;
    },

    async setPassword(text, password) {
      const address = addressOf(text);
      const prepared = prepareNewPassword(password);
      await ownerOf(address);
      const hashed = await passwords.make('', prepared);
      await change(async () => {
        const { id, version } = await ownerOf(address);
        await commit([
          { op: 'expectRecord', space: 'address', key: keyOf(address), version },
          put('login', id, loginRecord(hashed)),
        ]);
      });
    },

    async setProtocols(text, protocols) {
      const address = addressOf(text);
      const wanted = [...new Set(protocols)];
      await change(async () => {
        const { id } = await ownerOf(address);
        const record = await read(store, 'account', id);
        if (!record) return missing(`There is no account ${printAddress(address)}`);
        await commit([
          { op: 'expectRecord', space: 'account', key: id, version: record.version },
          put('account', id, { ...record.value, protocols: wanted }),
        ]);
      });
    },
  };
}
