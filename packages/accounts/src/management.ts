/**
 * Makes and removes domains, accounts and aliases. Each call is one commit, and expects what it has read to be unchanged; within
 * this process they take turns, so that conflicts come from other processes only.
 */
import {
  MailError,
  addressKey,
  asId,
  isMailError,
  parseAddress,
  parseDomain,
  printAddress,
  type Account,
  type AccountId,
  type Address,
  type Clock,
  type Limits,
  type MailStore,
  type Protocol,
  type Random,
  type Write,
} from '@mail-server-kit/core';
import type { HashedPassword, Passwords } from './password.ts';
import { accountOf } from './people.ts';
import { prepareNewPassword } from './prepare.ts';
import {
  decode,
  domainKey,
  keyOf,
  printScram,
  put,
  rangeOf,
  read,
  type AddressRecord,
  type DomainRecord,
  type Found,
  type LoginRecord,
} from './records.ts';
import { MAX_EXPANSION, type Routing } from './routing.ts';

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

export interface Alias {
  readonly address: string;
  readonly targets: readonly string[];
}

export interface Domain {
  readonly domain: string;
  readonly postmaster?: string;
  readonly catchAll?: readonly string[];
}

/**
 * Addresses and domains are texts in any spelling; what is none is a TypeError. Every method throws MailError UNAVAILABLE if the
 * store cannot be reached.
 */
export interface Management {
  /** @throws MailError ALREADYEXISTS */
  addDomain(name: string): Promise<void>;
  /** @throws MailError NONEXISTENT; CANNOT while there are accounts or aliases in it */
  removeDomain(name: string): Promise<void>;
  /** Sorted by name. */
  domains(): Promise<readonly Domain[]>;
  /** Whose account gets mail for postmaster and abuse where these are no addresses of their own; at first that of the domain's first account. @throws MailError NONEXISTENT */
  setPostmaster(domain: string, address: string): Promise<void>;

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

  /**
   * Targets of ours are accounts, aliases, subaddresses; others are forwarded to.
   * @throws MailError NONEXISTENT for a domain or target of ours that is not there, ALREADYEXISTS, CANNOT for a loop, LIMIT beyond 100 targets or 1,000 addresses behind them
   */
  addAlias(address: string, targets: string | readonly string[]): Promise<void>;
  /** @throws MailError NONEXISTENT */
  removeAlias(address: string): Promise<void>;
  aliases(domain?: string): Promise<readonly Alias[]>;
  /** Where mail goes that would be for nobody; replaces what was there. @throws MailError NONEXISTENT, LIMIT */
  addCatchAll(domain: string, targets: string | readonly string[]): Promise<void>;
  /** @throws MailError NONEXISTENT */
  removeCatchAll(domain: string): Promise<void>;
}

export interface ManagementParts {
  readonly store: MailStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly passwords: Passwords;
  readonly routing: Routing;
  readonly newMailboxes: readonly NewMailbox[];
}

const MAX_TARGETS = 100;
const ATTEMPTS = 5;
/** POP3 is switched on per mailbox: its clients delete what they fetch. */
const usualProtocols: readonly Protocol[] = ['imap', 'submission', 'jmap', 'sieve', 'web'];

export function createManagement(parts: ManagementParts): Management {
  const { store, clock, random, passwords, routing } = parts;
  let last: Promise<unknown> = Promise.resolve();

  /** Reads and commits; once more if another process changed what was read. */
  function change<Value>(action: () => Promise<Value>): Promise<Value> {
    async function attempt(left: number): Promise<Value> {
      try {
        return await action();
      } catch (error) {
        if (left <= 1 || !isMailError(error, 'CONFLICT')) throw error;
        return attempt(left - 1);
      }
    }
    const next = last.then(() => attempt(ATTEMPTS));
    last = next.catch(() => {});
    return next;
  }

  async function commit(writes: readonly Write[]): Promise<void> {
    const id = Buffer.from(random.bytes(16)).toString('base64url');
    try {
      await store.commit(writes, { id });
    } catch (error) {
      if (!isMailError(error, 'UNKNOWN')) throw error;
      await store.commit(writes, { id });
    }
  }

  async function domainOf(domain: string): Promise<Found<DomainRecord>> {
    const found = await read(store, 'domain', domainKey(domain));
    return found ?? missing(`There is no domain ${domain}`);
  }

  async function ownerOf(address: Address): Promise<{ id: AccountId; version: number }> {
    const found = await read(store, 'address', keyOf(address));
    if (!found || !('account' in found.value)) {
      return missing(`There is no account ${printAddress(address)}`);
    }
    return { id: found.value.account, version: found.version };
  }

  async function isTaken(address: Address): Promise<boolean> {
    return (await read(store, 'address', keyOf(address))) !== undefined;
  }

  async function* addresses(domain?: string): AsyncGenerator<AddressRecord> {
    const range = domain === undefined ? {} : rangeOf(domainText(domain));
    for await (const { value } of store.records('address', range))
      yield decode<AddressRecord>(value);
  }

  function loginRecord({ hash, scram }: HashedPassword): LoginRecord {
    return { hash, ...(scram ? { scram: printScram(scram) } : {}), changed: clock.now() };
  }

  /** @returns the targets as they are kept */
  async function checkedTargets(
    targets: string | readonly string[],
    self?: Address,
  ): Promise<string[]> {
    const list = (typeof targets === 'string' ? [targets] : targets).map(addressOf);
    if (list.length === 0) throw new TypeError('at least one target is needed');
    if (list.length > MAX_TARGETS) {
      throw new MailError('LIMIT', `At most ${MAX_TARGETS} targets are possible`);
    }
    const behind = new Set<string>();
    for (const target of list) {
      const { ours, routes, passed } = await routing.expand(target, {
        catchAll: self !== undefined,
      });
      const text = printAddress(target);
      if (self && passed.has(addressKey(self))) {
        throw new MailError('CANNOT', `${text} leads back to ${printAddress(self)}`);
      }
      if (ours && routes.length === 0) missing(`There is no address ${text}`);
      for (const each of passed) behind.add(each);
    }
    if (behind.size >= MAX_EXPANSION) {
      throw new MailError('LIMIT', 'The targets lead to too many addresses');
    }
    return [...new Map(list.map((target) => [addressKey(target), printAddress(target)])).values()];
  }

  async function updateDomain(
    name: string,
    update: (record: DomainRecord) => Promise<DomainRecord>,
  ): Promise<void> {
    const domain = domainText(name);
    await change(async () => {
      const { value, version } = await domainOf(domain);
      const key = domainKey(domain);
      const next = await update(value);
      await commit([
        { op: 'expectRecord', space: 'domain', key, version },
        put('domain', key, next),
      ]);
    });
  }

  return {
    async addDomain(name) {
      const domain = domainText(name);
      const key = domainKey(domain);
      await change(async () => {
        if (await read(store, 'domain', key)) {
          throw new MailError('ALREADYEXISTS', `The domain ${domain} is there already`);
        }
        await commit([
          { op: 'expectRecord', space: 'domain', key, version: 0 },
          put('domain', key, { domain }),
        ]);
      });
    },

    async removeDomain(name) {
      const domain = domainText(name);
      await change(async () => {
        const { version } = await domainOf(domain);
        for await (const record of store.records('address', { ...rangeOf(domain), limit: 1 })) {
          const { address } = decode<AddressRecord>(record.value);
          throw new MailError('CANNOT', `The domain ${domain} still has addresses: ${address}`);
        }
        const key = domainKey(domain);
        await commit([
          { op: 'expectRecord', space: 'domain', key, version },
          { op: 'deleteRecord', space: 'domain', key },
        ]);
      });
    },

    async domains() {
      const found: Domain[] = [];
      for await (const { value } of store.records('domain'))
        found.push(decode<DomainRecord>(value));
      return found;
    },

    async setPostmaster(name, text) {
      const address = addressOf(text);
      await updateDomain(name, async (record) => {
        await ownerOf(address);
        return { ...record, postmaster: printAddress(address) };
      });
    },

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

    async addAlias(text, targets) {
      const address = addressOf(text);
      const printed = printAddress(address);
      const key = keyOf(address);
      await change(async () => {
        const domain = await domainOf(address.domain);
        if (await isTaken(address)) {
          throw new MailError('ALREADYEXISTS', `The address ${printed} is taken`);
        }
        const alias = await checkedTargets(targets, address);
        await commit([
          expectDomain(address.domain, domain.version),
          { op: 'expectRecord', space: 'address', key, version: 0 },
          put('address', key, { address: printed, alias }),
        ]);
      });
    },

    async removeAlias(text) {
      const address = addressOf(text);
      const key = keyOf(address);
      await change(async () => {
        const found = await read(store, 'address', key);
        if (!found || !('alias' in found.value)) {
          return missing(`There is no alias ${printAddress(address)}`);
        }
        await commit([
          { op: 'expectRecord', space: 'address', key, version: found.version },
          { op: 'deleteRecord', space: 'address', key },
        ]);
      });
    },

    async aliases(domain) {
      const found: Alias[] = [];
      for await (const entry of addresses(domain)) {
        if ('alias' in entry) found.push({ address: entry.address, targets: entry.alias });
      }
      return found;
    },

    addCatchAll: (name, targets) =>
      updateDomain(name, async (record) => ({
        ...record,
        catchAll: await checkedTargets(targets),
      })),

    removeCatchAll: (name) =>
      updateDomain(name, async ({ catchAll, ...record }) =>
        catchAll ? record : missing(`The domain ${record.domain} has no catch-all`),
      ),
  };

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
}

function expectDomain(domain: string, version: number): Write {
  return { op: 'expectRecord', space: 'domain', key: domainKey(domain), version };
}

function missing(text: string): never {
  throw new MailError('NONEXISTENT', text);
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (!address) throw new TypeError(`not an address: ${JSON.stringify(text.slice(0, 320))}`);
  return address;
}

function domainText(text: string): string {
  const domain = parseDomain(text);
  if (domain === undefined || domain.startsWith('[')) {
    throw new TypeError(`not a domain: ${JSON.stringify(text.slice(0, 320))}`);
  }
  return domain;
}
