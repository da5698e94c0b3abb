/**
 * How the records are changed: each change is one commit and expects what it has read to be unchanged. Within this process changes
 * take turns, so that conflicts come from other processes only.
 */
import {
  MailError,
  isMailError,
  parseAddress,
  parseDomain,
  printAddress,
  type AccountId,
  type Address,
  type MailStore,
  type Random,
  type Write,
} from '@mail-server-kit/core';
import {
  decode,
  domainKey,
  keyOf,
  put,
  rangeOf,
  read,
  type AddressRecord,
  type DomainRecord,
  type Found,
} from '../records.ts';

export interface Changes {
  readonly store: MailStore;
  readonly random: Random;
  /** `action` reads and commits; it is called again if another process changed what it read. */
  change<Value>(action: () => Promise<Value>): Promise<Value>;
  commit(writes: readonly Write[]): Promise<void>;
  /** @throws MailError NONEXISTENT */
  domainOf(domain: string): Promise<Found<DomainRecord>>;
  /** @throws MailError NONEXISTENT */
  updateDomain(
    name: string,
    update: (record: DomainRecord) => Promise<DomainRecord>,
  ): Promise<void>;
  /** The account whose own address it is. @throws MailError NONEXISTENT */
  ownerOf(address: Address): Promise<{ readonly id: AccountId; readonly version: number }>;
  /** By an account or an alias. */
  isTaken(address: Address): Promise<boolean>;
  /** Of one domain or of all. */
  addresses(domain?: string): AsyncGenerator<AddressRecord>;
}

const ATTEMPTS = 5;

export function createChanges(store: MailStore, random: Random): Changes {
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

  return { store, random, change, commit, domainOf, updateDomain, ownerOf, isTaken, addresses };
}

export function expectDomain(domain: string, version: number): Write {
  return { op: 'expectRecord', space: 'domain', key: domainKey(domain), version };
}

export function missing(text: string): never {
  throw new MailError('NONEXISTENT', text);
}

export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (!address) throw new TypeError(`not an address: ${JSON.stringify(text.slice(0, 320))}`);
  return address;
}

export function domainText(text: string): string {
  const domain = parseDomain(text);
  if (domain === undefined || domain.startsWith('[')) {
    throw new TypeError(`not a domain: ${JSON.stringify(text.slice(0, 320))}`);
  }
  return domain;
}
