/** Accounts, the mailboxes of one, the messages of one of these. */
import { MAX_UID, type AccountId, type Uid, type UidRanges } from '@mail-server-kit/core';
import {
  UsageError,
  accountsOf,
  looking,
  mailboxOf,
  type AccountName,
  type Command,
  type Invocation,
  type Looked,
} from './command.ts';
import { messagesOf, type ListedMessage } from './messages.ts';
import { printTable } from './output.ts';

export const list: Command = {
  name: 'list',
  usage: 'list [ACCOUNT [MAILBOX]]',
  help: 'accounts, or mailboxes, or messages',

  run: (invocation) =>
    looking(invocation, async (store) => {
      const [account, mailbox, ...more] = invocation.args;
      if (more.length > 0) throw new UsageError('list takes an account and a mailbox');
      if (account === undefined) await listAccounts(store, invocation);
      else {
        const [{ id }] = (await accountsOf(store, [account])) as [AccountName];
        if (mailbox === undefined) await listMailboxes(store, id, invocation);
        else await listMessages(store, id, mailbox, invocation);
      }
      return true;
    }),
};

async function listAccounts(store: Looked, invocation: Invocation): Promise<void> {
  const rows = [];
  for (const { id, address } of await accountsOf(store, invocation.accounts)) {
    const { used } = await store.usage(id);
    rows.push([id, used.mailboxes, used.messages, used.octets, address]);
  }
  printTable(invocation, ['account', 'mailboxes', 'messages', 'octets', 'address'], rows);
}

async function listMailboxes(
  store: Looked,
  account: AccountId,
  invocation: Invocation,
): Promise<void> {
  const columns = ['id', 'messages', 'unseen', 'octets', 'uidValidity', 'uidNext', 'mailbox'];
  const rows = (await store.mailboxes(account)).map((box) => [
    box.id,
    box.messages,
    box.unseen,
    box.octets,
    box.uidValidity,
    box.uidNext,
    box.name,
  ]);
  printTable(invocation, columns, rows);
}

async function listMessages(
  store: Looked,
  account: AccountId,
  name: string,
  invocation: Invocation,
): Promise<void> {
  const box = await mailboxOf(store, account, name);
  const snapshot = await store.open(box.id);
  const rows = [];
  const messages = messagesOf(snapshot);
  for await (const batch of store.fetch(snapshot, everything, ['sort', 'ids'])) {
    for (const { facts, emailId = '' } of batch) {
      const { uid, size, internalDate, flags } = messages.next().value as ListedMessage;
      const date = new Date(internalDate).toISOString();
      const subject = (facts.sort?.subject ?? '').slice(0, 60);
      rows.push([uid, emailId, size, date, flags.join(' '), subject]);
    }
  }
  printTable(invocation, ['uid', 'emailId', 'octets', 'date', 'flags', 'subject'], rows);
}

const everything: UidRanges = [[1 as Uid, MAX_UID as Uid]];
