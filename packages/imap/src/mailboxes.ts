/** Finding mailboxes by name. */
import {
  MailError,
  type Account,
  type MailboxInfo,
  type MailStore,
  type Write,
} from '@mail-server-kit/core';
import { DELIMITER } from './list-entry.ts';
import { no } from './outcome.ts';

/** What is needed to look: a session has it. */
export interface Looking {
  readonly store: MailStore;
  readonly account: Account;
}

export async function findMailbox(
  { store, account }: Looking,
  name: string,
): Promise<MailboxInfo | undefined> {
  return (await store.mailboxes(account.id)).find((info) => info.name === name);
}

/** @throws MailError NONEXISTENT */
export async function mailboxNamed(looking: Looking, name: string): Promise<MailboxInfo> {
  const info = await findMailbox(looking, name);
  if (!info) throw new MailError('NONEXISTENT', 'There is no such mailbox');
  return info;
}

/**
 * Where a message is to go. "If the destination mailbox does not exist, a server MUST return an error": with TRYCREATE if
 * the client may create it (RFC 9051 section 6.3.12).
 */
export async function destination(looking: Looking, name: string): Promise<MailboxInfo> {
  const info = await findMailbox(looking, name);
  if (!info) throw no('TRYCREATE', 'There is no such mailbox');
  return info;
}

/** The levels above `name`, outermost first. */
export function parentsOf(name: string): string[] {
  const parents: string[] = [];
  for (let at = name.indexOf(DELIMITER); at > 0; at = name.indexOf(DELIMITER, at + 1)) {
    parents.push(name.slice(0, at));
  }
  return parents;
}

/** Creates what is missing above `name` (RFC 9051 section 6.3.4: the server SHOULD). */
export async function missingParents({ store, account }: Looking, name: string): Promise<Write[]> {
  const parents = parentsOf(name);
  if (parents.length === 0) return [];
  const there = new Set((await store.mailboxes(account.id)).map((info) => info.name));
  return parents
    .filter((parent) => !there.has(parent))
    .map((parent) => ({ op: 'createMailbox', account: account.id, name: parent }));
}
