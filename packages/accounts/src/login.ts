/** Checks who somebody is: by password, or by SCRAM without seeing it. */
import { createHmac } from 'node:crypto';
import {
  MailError,
  addressKey,
  parseAddress,
  type Account,
  type Directory,
  type LoginContext,
  type MailStore,
  type Random,
  type ScramAttempt,
  type ScramCredentials,
} from '@mail-server-kit/core';
import { networkOf } from './network.ts';
import type { Passwords } from './password.ts';
import { findPerson, type Person } from './people.ts';
import { isTooLong, prepare } from './prepare.ts';
import type { RecentLogins } from './recent-logins.ts';
import { parseScram, printScram, put } from './records.ts';
import type { Guess, Throttle } from './throttle.ts';

export interface LoginParts {
  readonly store: MailStore;
  readonly random: Random;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly recent: RecentLogins;
}

export interface Logins {
  readonly login: Directory['login'];
  readonly scram: NonNullable<Directory['scram']>;
  /** Waits for upgrades under way. */
  settled(): Promise<void>;
}

export function createLogins(parts: LoginParts): Logins {
  const { store, passwords, throttle, recent } = parts;
  const upgrades = new Set<Promise<void>>();
  let secret: Promise<Uint8Array> | undefined;

  async function login(
    userName: string,
    password: string,
    context: LoginContext,
    authorizeAs?: string,
  ): Promise<Account> {
    const typed = isTooLong(password) ? undefined : prepare(password);
    const person = await findPerson(store, userName);
    const guess = guessOf(person, context);
    throttle.admit(guess);
    // Refused without a hash, whoever the user is.
    if (typed === undefined) return fail(guess);
    const line = guess.network ?? '';
    const facts = (of: Person) => ({
      userName: of.userName,
      protocol: context.protocol,
      network: line,
      storedHash: of.known?.login.hash ?? passwords.dummy,
      password: typed,
    });

    const remembered = recent.outcome(facts(person));
    if (remembered === 'wrong') throw refused();
    if (remembered === 'right') return welcome(person, guess, context, authorizeAs);

    const [now, right] = await passwords.queue.run(line, async () => {
      // While it waited others may have guessed, the same client may have been let in, or the password been changed.
      throttle.admit(guess);
      const again = await findPerson(store, userName);
      const known = recent.outcome(facts(again));
      if (known !== undefined) return [again, known === 'right'] as const;
      const matches = await passwords.check(facts(again).storedHash, typed);
      const outcome = matches && again.known ? 'right' : 'wrong';
      recent.remember(facts(again), outcome);
      if (outcome === 'wrong') throttle.failed(guess);
      return [again, outcome === 'right'] as const;
    });
    if (!right) throw refused();
    const account = welcome(now, guess, context, authorizeAs);
    upgradeLater(now, typed);
    return account;
  }

  /** A password was right: what is left is whether its owner may do this. */
  function welcome(
    { known }: Person,
    guess: Guess,
    { protocol }: LoginContext,
    authorizeAs: string | undefined,
  ): Account {
    if (!known) throw refused();
    throttle.succeeded(guess);
    const { account } = known;
    if (authorizeAs !== undefined && !names(account, authorizeAs)) {
      throw new MailError('AUTHORIZATIONFAILED', 'Not allowed to act for that user');
    }
    if (!account.protocols.has(protocol)) {
      throw new MailError('AUTHORIZATIONFAILED', 'This protocol is switched off for this account');
    }
    return account;
  }

  function fail(guess: Guess): never {
    throttle.failed(guess);
    throw refused();
  }

  /** Only now the password is at hand to hash it as one would today. */
  function upgradeLater({ known }: Person, password: string): void {
    if (!known) return;
    const { hash, scram } = known.login;
    const stored = scram ? { hash, scram: parseScram(scram) } : { hash };
    if (!passwords.isOutdated(stored)) return;
    const upgrade = (async () => {
      const key = known.account.id;
      const made = await passwords.make('', password);
      await store.commit([
        { op: 'expectRecord', space: 'login', key, version: known.version },
        put('login', key, {
          hash: made.hash,
          ...(made.scram ? { scram: printScram(made.scram) } : {}),
          changed: known.login.changed,
        }),
      ]);
    })()
      // The login stands without it, and the next one tries again.
      .catch(() => {})
      .finally(() => upgrades.delete(upgrade));
    upgrades.add(upgrade);
  }

  async function scram(
    userName: string,
    context: LoginContext,
    authorizeAs?: string,
  ): Promise<ScramAttempt> {
    const person = await findPerson(store, userName);
    const guess = guessOf(person, context);
    throttle.admit(guess);
    const madeUp = await invent(person.userName);
    const printed = person.known?.login.scram;
    return {
      credentials: printed ? parseScram(printed) : madeUp,
      async settle(proved) {
        // A thousand exchanges may have begun before the first one failed.
        throttle.admit(guess);
        const now = await findPerson(store, userName);
        const { known } = now;
        if (!proved || !printed || !known || known.login.scram?.storedKey !== printed.storedKey) {
          return fail(guess);
        }
        return welcome(now, guess, context, authorizeAs);
      },
    };
  }

  /** The same for the same name as long as the store lasts, like those of a user who keeps the password (RFC 5802 section 9). */
  async function invent(userName: string): Promise<ScramCredentials> {
    secret ??= storedSecret(parts);
    const key = await secret.catch((error: unknown) => {
      secret = undefined;
      throw error;
    });
    const octets = (what: string) =>
      createHmac('sha256', key).update(`${what} ${userName}`).digest();
    return {
      salt: octets('salt').subarray(0, 16),
      iterations: passwords.scramIterations ?? 4096,
      storedKey: octets('stored key'),
      serverKey: octets('server key'),
    };
  }

  function guessOf({ userName }: Person, { remoteAddress }: LoginContext): Guess {
    return {
      network: remoteAddress === undefined ? undefined : networkOf(remoteAddress),
      userName,
    };
  }

  return {
    login,
    scram,
    async settled() {
      await Promise.all(upgrades);
    },
  };
}

/** One text for all: it never tells whether there is such a user. */
function refused(): MailError {
  return new MailError('AUTHENTICATIONFAILED', 'Authentication failed');
}

function names(account: Account, authorizeAs: string): boolean {
  const address = isTooLong(authorizeAs) ? undefined : parseAddress(prepare(authorizeAs));
  const own = parseAddress(account.address);
  return address !== undefined && own !== undefined && addressKey(address) === addressKey(own);
}

async function storedSecret({ store, random }: LoginParts): Promise<Uint8Array> {
  const place = { space: 'secret', key: 'scram' } as const;
  const there = await store.record(place.space, place.key);
  if (there) return there.value;
  const value = random.bytes(32);
  try {
    await store.commit([
      { op: 'expectRecord', ...place, version: 0 },
      { op: 'putRecord', ...place, value },
    ]);
    return value;
  } catch (error) {
    // Another process was first.
    const theirs = await store.record(place.space, place.key);
    if (theirs) return theirs.value;
    throw error;
  }
}
