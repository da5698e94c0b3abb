import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { addressKey, parseAddress, printAddress, type Address } from '../address.ts';
import type {
  Account,
  Directory,
  LoginContext,
  Protocol,
  Route,
  ScramAttempt,
} from '../directory.ts';
import { MailError } from '../errors.ts';
import { asId, type AccountId } from '../numbers.ts';
import type { ScramCredentials } from '../sasl/scram-credentials.ts';
import { makeScramCredentials } from '../sasl/scram.ts';

export interface FakeDirectoryOptions {
  readonly accounts: readonly {
    readonly address: string;
    readonly password: string;
    /** Default: the address, with `-` for what an id cannot hold. */
    readonly id?: AccountId;
    /** Default: all. */
    readonly protocols?: readonly Protocol[];
  }[];
  /** Addresses that lead to one or more others; those of accounts deliver there. */
  readonly aliases?: Readonly<Record<string, string | readonly string[]>>;
  /** Domains of ours beyond those of accounts and aliases. */
  readonly domains?: readonly string[];
}

export interface FakeDirectory extends Directory {
  scram(userName: string, context: LoginContext, authorizeAs?: string): Promise<ScramAttempt>;
  /** @throws TypeError if nobody has that address */
  account(address: string): Account;
}

const everything: readonly Protocol[] = ['imap', 'pop3', 'submission', 'jmap', 'sieve', 'web'];

/** A directory that keeps its promises, from a list. The user name is the address; nobody is throttled. */
export function fakeDirectory({
  accounts,
  aliases = {},
  domains = [],
}: FakeDirectoryOptions): FakeDirectory {
  const people = new Map<
    string,
    { account: Account; password: string; credentials?: Promise<ScramCredentials> }
  >();
  const leads = new Map<string, readonly Address[]>();
  const ours = new Set(domains);

  for (const { address, password, id, protocols = everything } of accounts) {
    const parsed = read(address);
    ours.add(parsed.domain);
    people.set(addressKey(parsed), {
      account: {
        id: id ?? idOf(parsed),
        address: printAddress(parsed),
        protocols: new Set(protocols),
      },
      password,
    });
  }
  for (const [from, to] of Object.entries(aliases)) {
    const parsed = read(from);
    ours.add(parsed.domain);
    leads.set(addressKey(parsed), (typeof to === 'string' ? [to] : to).map(read));
  }

  function find(userName: string) {
    const address = parseAddress(userName);
    return address && people.get(addressKey(address));
  }

  function authorize(
    account: Account,
    context: LoginContext,
    authorizeAs: string | undefined,
  ): Account {
    const same = authorizeAs === undefined || find(authorizeAs)?.account === account;
    if (!same || !account.protocols.has(context.protocol)) {
      throw new MailError('AUTHORIZATIONFAILED', 'Not allowed');
    }
    return account;
  }

  return {
    account(address) {
      const person = find(address);
      if (!person) throw new TypeError(`nobody has the address ${address}`);
      return person.account;
    },

    async resolve(address) {
      if (address.domain !== '' && !ours.has(address.domain)) return { kind: 'foreign' };
      const targets = leads.get(addressKey(address)) ?? [address];
      const routes = targets.flatMap((target): Route[] => {
        const person = people.get(addressKey(target));
        if (person) return [{ to: 'account', account: person.account.id }];
        return target === address ? [] : [{ to: 'address', address: target }];
      });
      return routes.length > 0 ? { kind: 'routes', routes } : { kind: 'unknown' };
    },

    async login(userName, password, context, authorizeAs) {
      const person = find(userName);
      const right = timingSafeEqual(digest(person?.password ?? ''), digest(password));
      if (!person || !right) throw new MailError('AUTHENTICATIONFAILED', 'Authentication failed');
      return authorize(person.account, context, authorizeAs);
    },

    async scram(userName, context, authorizeAs) {
      const person = find(userName);
      const address = parseAddress(userName);
      const name = address ? addressKey(address) : userName;
      // Of the name alone, so that it does not tell whether there is such a user.
      const salt = createHmac('sha256', 'fake directory').update(name).digest().subarray(0, 16);
      const made = () => makeScramCredentials(person?.password ?? '', { salt, iterations: 4096 });
      const credentials = await (person ? (person.credentials ??= made()) : made());
      return {
        credentials,
        async settle(proved) {
          if (!person || !proved)
            throw new MailError('AUTHENTICATIONFAILED', 'Authentication failed');
          return authorize(person.account, context, authorizeAs);
        },
      };
    },

    async maySendAs(account, address) {
      const targets = leads.get(addressKey(address)) ?? [address];
      return targets.some((target) => people.get(addressKey(target))?.account.id === account.id);
    },
  };
}

function read(text: string): Address {
  const address = parseAddress(text);
  if (!address) throw new TypeError(`not an address: ${text}`);
  return address;
}

function idOf(address: Address): AccountId {
  return asId<AccountId>(
    addressKey(address)
      .replace(/[^A-Za-z0-9_-]/g, '-')
      .slice(0, 64),
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
