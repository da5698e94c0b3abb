/** What a command of the command line is given. */
import type { AccountId, MailboxInfo, MailStore } from '@mail-server-kit/core';
import type { JournalStore } from '../embedded/engine.ts';
import { withDefaults } from '../embedded/store.ts';
import { openReadOnly } from '../embedded/read-only.ts';
import type { Encryption } from '../embedded/vault/open.ts';

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
}

export interface Output {
  write(text: string | Uint8Array, written?: (error?: Error | null) => void): boolean;
  /** Somebody is looking at it. */
  readonly isTTY?: boolean;
}

export interface Invocation {
  readonly directory: string;
  /** The other side. */
  readonly mirror: string | undefined;
  readonly args: readonly string[];
  /** Only these; none: all. */
  readonly accounts: readonly string[];
  readonly json: boolean;
  /** With the master key of the store, if it is encrypted. */
  readonly encryption: Encryption | undefined;
  readonly io: Io;
}

export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  /** False: something is damaged or missing. @throws UsageError, MailError if the store cannot be opened */
  run(invocation: Invocation): Promise<boolean>;
}

export class UsageError extends Error {}

export type Looked = MailStore & JournalStore;

/** Opens the store to be read, and closes it after `body`. */
export async function looking<T>(
  { directory, encryption }: Pick<Invocation, 'directory' | 'encryption'>,
  body: (store: Looked) => Promise<T>,
): Promise<T> {
  const store = await openReadOnly(directory, withDefaults(encryption ? { encryption } : {}));
  try {
    return await body(store);
  } finally {
    await store.close();
  }
}

export interface AccountName {
  readonly id: AccountId;
  /** What people call it, where the directory keeps that in the store. */
  readonly address: string;
}

/** Those that are there, or those that were asked for by id or address. @throws UsageError if one is not there */
export async function accountsOf(
  store: Looked,
  wanted: readonly string[] = [],
): Promise<readonly AccountName[]> {
  const there: AccountName[] = [];
  for (const { durable } of store.world.accounts.values()) {
    if (!durable || durable.destroyed) continue;
    there.push({ id: durable.id, address: await addressOf(store, durable.id) });
  }
  there.sort((a, b) => compare(a.address, b.address) || compare(a.id, b.id));
  return wanted.length === 0 ? there : wanted.map((name) => accountIn(there, name));
}

function accountIn(there: readonly AccountName[], name: string): AccountName {
  const found = there.find(({ id, address }) => id === name || address === name);
  if (!found) throw new UsageError(`There is no account ${name}`);
  return found;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The Directory of package accounts keeps a record for each account that has its address; other directories need not. */
async function addressOf(store: Looked, account: AccountId): Promise<string> {
  const record = await store.record('account', account);
  if (!record) return '';
  try {
    const { address } = JSON.parse(Buffer.from(record.value).toString()) as { address?: unknown };
    return typeof address === 'string' ? address : '';
  } catch {
    return '';
  }
}

/** Of all of them, one account after the other. */
export async function mailboxesOf(
  store: Looked,
  accounts: readonly AccountName[],
): Promise<MailboxInfo[]> {
  return (await Promise.all(accounts.map(({ id }) => store.mailboxes(id)))).flat();
}

/** By name or id. @throws UsageError if it is not there */
export async function mailboxOf(
  store: Looked,
  account: AccountId,
  name: string,
): Promise<MailboxInfo> {
  const all = await store.mailboxes(account);
  const found =
    all.find((each) => each.name === name) ??
    all.find(({ id }) => id === name) ??
    all.find((each) => each.name === 'INBOX' && name.toUpperCase() === 'INBOX');
  if (!found) throw new UsageError(`${account} has no mailbox ${name}`);
  return found;
}
