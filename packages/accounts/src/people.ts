/** Finds who logs in. Does the same reads for an unknown user as for a known one. */
import {
  addressKey,
  parseAddress,
  type Account,
  type AccountId,
  type MailStore,
} from '@mail-server-kit/core';
import { isTooLong, prepare } from './prepare.ts';
import { keyOf, read, type AccountRecord, type LoginRecord } from './records.ts';

export interface Person {
  /** The user name as it is looked up: equal for all spellings that mean the same. */
  readonly userName: string;
  /** Undefined: nobody has that name, or no password was ever set. */
  readonly known:
    | { readonly account: Account; readonly login: LoginRecord; readonly version: number }
    | undefined;
}

const NOBODY = 'nobody' as AccountId;

export async function findPerson(store: MailStore, typed: string): Promise<Person> {
  const prepared = isTooLong(typed) ? '' : prepare(typed);
  const address = parseAddress(prepared);
  const userName = address ? addressKey(address) : prepared;
  // Where it parses as no address a key is asked for that no address has.
  const entry = await read(store, 'address', address ? keyOf(address) : ' ');
  const id = entry && 'account' in entry.value ? entry.value.account : undefined;
  const [account, login] = await Promise.all([
    read(store, 'account', id ?? NOBODY),
    read(store, 'login', id ?? NOBODY),
  ]);
  if (id === undefined || !account || !login) return { userName, known: undefined };
  return {
    userName,
    known: {
      account: accountOf(id, account.value),
      login: login.value,
      version: login.version,
    },
  };
}

export function accountOf(id: AccountId, { address, protocols }: AccountRecord): Account {
  return { id, address, protocols: new Set(protocols) };
}
