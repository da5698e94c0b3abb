/** Which accounts and foreign addresses an address leads to. */
import {
  MailError,
  addressKey,
  parseAddress,
  printAddress,
  type AccountId,
  type Address,
  type MailStore,
  type Resolution,
  type Route,
} from '@mail-server-kit/core';
import {
  decode,
  domainKey,
  keyOf,
  read,
  type AddressRecord,
  type DomainRecord,
} from './records.ts';

/** Addresses that one address may lead over or to; beyond it is a mistake, or an amplifier. */
export const MAX_EXPANSION = 1000;

export interface Expansion {
  /** False: the domain is not ours. */
  readonly ours: boolean;
  readonly routes: readonly Route[];
  /** Keys of all addresses passed on the way, ends included, also without their details. */
  readonly passed: ReadonlySet<string>;
}

export interface Routing {
  resolve(address: Address): Promise<Resolution>;
  /** `catchAll` false: only what was named. @throws MailError LIMIT beyond MAX_EXPANSION addresses */
  expand(address: Address, options?: { catchAll?: boolean }): Promise<Expansion>;
}

export interface RoutingOptions {
  readonly store: MailStore;
  /** Between user and detail (RFC 5233 section 4); empty: no subaddresses. */
  readonly separator: string;
  /** For `<Postmaster>` without a domain, and for domains without accounts. */
  readonly postmaster: Address | undefined;
}

/** RFC 5321 section 4.5.1 demands the first, RFC 2142 the second. */
const roles: ReadonlySet<string> = new Set(['postmaster', 'abuse']);

export function createRouting({ store, separator, postmaster }: RoutingOptions): Routing {
  async function addressRecord(address: Address): Promise<AddressRecord | undefined> {
    return (await read(store, 'address', keyOf(address)))?.value;
  }

  async function domainRecord(domain: string): Promise<DomainRecord | undefined> {
    return (await read(store, 'domain', domainKey(domain)))?.value;
  }

  /** The next step from an address of ours: an account, further addresses, or nothing. */
  async function step(
    address: Address,
    domain: DomainRecord,
    catchAll: boolean,
  ): Promise<AccountId | readonly string[]> {
    const named = await addressRecord(address);
    if (named) return ending(named);
    const base = withoutDetail(address);
    const user = base && (await addressRecord(base));
    if (user) return ending(user);
    if (roles.has((base ?? address).localPart.toLowerCase())) {
      if (domain.postmaster !== undefined) return [domain.postmaster];
      if (postmaster) return [printAddress(postmaster)];
    }
    return (catchAll && domain.catchAll) || [];
  }

  function withoutDetail(address: Address): Address | undefined {
    const at = separator === '' ? -1 : address.localPart.indexOf(separator);
    return at > 0 ? { ...address, localPart: address.localPart.slice(0, at) } : undefined;
  }

  async function expand(
    start: Address,
    { catchAll = true }: { catchAll?: boolean } = {},
  ): Promise<Expansion> {
    const visited = new Set<string>();
    const passed = new Set<string>();
    const routes = new Map<string, Route>();
    const waiting: Address[] = [start];
    let ours = true;
    // Breadth first, one after the other: each address once, so no loop and no doubled copy.
    for (let address = waiting.shift(); address; address = waiting.shift()) {
      const key = addressKey(address);
      if (visited.has(key)) continue;
      visited.add(key);
      passed.add(key).add(addressKey(withoutDetail(address) ?? address));
      if (visited.size > MAX_EXPANSION) {
        throw new MailError('LIMIT', 'The address leads to too many others');
      }
      const domain = await domainRecord(address.domain);
      if (!domain) {
        if (address === start) ours = false;
        else routes.set(key, { to: 'address', address });
        continue;
      }
      const next = await step(address, domain, catchAll);
      if (typeof next === 'string') routes.set(`account ${next}`, { to: 'account', account: next });
      else waiting.push(...next.flatMap((text) => parseAddress(text) ?? []));
    }
    return { ours, routes: [...routes.values()], passed };
  }

  /** Whoever looks after this host: the address given for it, else the postmaster of the first domain that has one. */
  async function hostPostmaster(): Promise<Address | undefined> {
    if (postmaster) return postmaster;
    for await (const { value } of store.records('domain')) {
      const { postmaster: theirs } = decode<DomainRecord>(value);
      if (theirs !== undefined) return parseAddress(theirs);
    }
    return undefined;
  }

  return {
    expand,
    async resolve(address) {
      const start = address.domain === '' ? await hostPostmaster() : address;
      if (!start) return { kind: 'unknown' };
      const { ours, routes } = await expand(start).catch((cause: unknown) => {
        // The sender may try again while somebody untangles it; a rejection would lose mail for our own mistake.
        throw new MailError('UNAVAILABLE', 'The address cannot be looked up now', { cause });
      });
      if (address.domain === '' && !ours)
        return { kind: 'routes', routes: [{ to: 'address', address: start }] };
      if (!ours) return { kind: 'foreign' };
      return routes.length > 0 ? { kind: 'routes', routes } : { kind: 'unknown' };
    },
  };
}

function ending(entry: AddressRecord): AccountId | readonly string[] {
  return 'account' in entry ? entry.account : entry.alias;
}
