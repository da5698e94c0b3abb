/** A Directory over the store's records, with what it takes to manage it. */
import { randomBytes } from 'node:crypto';
import {
  parseAddress,
  systemClock,
  type Clock,
  type Directory,
  type MailStore,
  type Random,
} from '@mail-server-kit/core';
import { createLogins } from './login.ts';
import type { NewMailbox } from './manage/accounts.ts';
import { createManagement, type Management } from './management.ts';
import { createPasswords, type HashingOptions } from './password.ts';
import { createRecentLogins } from './recent-logins.ts';
import { createRouting } from './routing.ts';
import { createThrottle, unthrottled, type ThrottleOptions } from './throttle.ts';

export interface AccountsOptions {
  readonly store: MailStore;
  readonly clock?: Clock;
  /** Salts, account ids, keys. */
  readonly random?: Random;
  readonly hashing?: HashingOptions;
  /** `false`: guesses are not slowed down, as for a server in front of which something else does. */
  readonly throttle?: ThrottleOptions | false;
  /** Of each new account, beside INBOX. Default: Drafts, Sent, Junk, Trash and Archive with their special uses (RFC 6154). */
  readonly newMailboxes?: readonly NewMailbox[];
  /** Between user and detail of a subaddress (RFC 5233); mail goes to the user. Default `+`; empty: there are none. */
  readonly separator?: string;
  /**
   * Who gets mail for `<Postmaster>` without a domain (RFC 5321 section 4.5.1) and for the postmaster of domains without accounts.
   * Default: the postmaster of the first domain that has one.
   */
  readonly postmaster?: string;
}

export interface Accounts extends Directory, Management {
  /** Refuses logins that wait and lets those under way finish. The store stays open. */
  close(): Promise<void>;
}

const usualMailboxes: readonly NewMailbox[] = ['Drafts', 'Sent', 'Junk', 'Trash', 'Archive'].map(
  (name) => ({ name, specialUse: `\\${name}` }),
);

export function createAccounts({
  store,
  clock = systemClock,
  random = { bytes: randomBytes },
  hashing = {},
  throttle = {},
  newMailboxes = usualMailboxes,
  separator = '+',
  postmaster: postmasterText,
}: AccountsOptions): Accounts {
  const postmaster = postmasterText === undefined ? undefined : parseAddress(postmasterText);
  if (postmasterText !== undefined && !postmaster) {
    throw new TypeError(`postmaster is not an address: ${postmasterText}`);
  }
  const passwords = createPasswords(hashing, random);
  const routing = createRouting({ store, separator, postmaster });
  const { login, scram, settled } = createLogins({
    store,
    random,
    passwords,
    throttle: throttle === false ? unthrottled : createThrottle(clock, throttle),
    recent: createRecentLogins(clock, random),
  });
  return {
    ...createManagement({ store, clock, random, passwords, routing, newMailboxes }),
    resolve: routing.resolve,
    login,
    ...(passwords.scramIterations === undefined ? {} : { scram }),
    async maySendAs(account, address) {
      // A catch-all gives mail, not the right to speak as anybody of the domain.
      const { routes } = await routing.expand(address, { catchAll: false });
      return routes.some((route) => route.to === 'account' && route.account === account.id);
    },
    async close() {
      await passwords.queue.close();
      await settled();
    },
  };
}
