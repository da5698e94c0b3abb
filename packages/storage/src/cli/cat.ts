/** A message as it was received. */
import { MailError, type EmailId, type MailboxSnapshot, type Uid } from '@mail-server-kit/core';
import {
  UsageError,
  accountsOf,
  looking,
  mailboxOf,
  type AccountName,
  type Command,
  type Io,
  type Looked,
} from './command.ts';

export const cat: Command = {
  name: 'cat',
  usage: 'cat ACCOUNT MAILBOX UID, cat EMAILID',
  help: 'a message, octet for octet',

  run: ({ directory, encryption, args, io }) =>
    looking({ directory, encryption }, async (store) => {
      const [snapshot, uid] = await find(store, args);
      for await (const chunk of store.read({ snapshot, uid })) await write(io, chunk);
      return true;
    }),
};

async function find(store: Looked, args: readonly string[]): Promise<[MailboxSnapshot, Uid]> {
  if (args.length === 1) return findEmail(store, args[0] as EmailId);
  const [account, mailbox, uid] = args;
  if (account === undefined || mailbox === undefined || uid === undefined || args.length > 3) {
    throw new UsageError('cat takes an account, a mailbox and a uid, or the id of an e-mail');
  }
  if (!/^[1-9]\d{0,9}$/.test(uid)) throw new UsageError(`${uid} is not a uid`);
  const [{ id }] = (await accountsOf(store, [account])) as [AccountName];
  const { id: box } = await mailboxOf(store, id, mailbox);
  return [await store.open(box), Number(uid) as Uid];
}

async function findEmail(store: Looked, email: EmailId): Promise<[MailboxSnapshot, Uid]> {
  for (const { id } of await accountsOf(store)) {
    const [found] = await store.locate(id, [email]);
    const [at] = found?.at ?? [];
    if (at) return [await store.open(at[0]), at[1]];
  }
  throw new MailError('NONEXISTENT', `There is no e-mail ${email}`);
}

/** One after the other, so that a slow reader is waited for. */
const write = (io: Io, chunk: Uint8Array) =>
  new Promise<void>((resolve, reject) => {
    io.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
