/** Everything as Maildir++, a directory for each account: the way out. */
import fs from 'node:fs';
import path from 'node:path';
import type { AccountId, MailboxInfo } from '@mail-server-kit/core';
import {
  UsageError,
  accountsOf,
  looking,
  mailboxesOf,
  type Command,
  type Looked,
} from './command.ts';
import { MaildirFolder, folderOf } from './maildir.ts';
import { messagesOf } from './messages.ts';
import { Progress } from './output.ts';

export const exportMaildir: Command = {
  name: 'export-maildir',
  usage: 'export-maildir TARGET [--account A]...',
  help: 'writes all mail as Maildir++ (with Dovecot’s uids) below TARGET',

  async run({ directory, encryption, args, accounts, json, io }) {
    const [target, ...more] = args;
    if (target === undefined || more.length > 0) throw new UsageError('A target is needed');
    if (fs.existsSync(target) && fs.readdirSync(target).length > 0) {
      throw new UsageError(`${target} is not empty`);
    }
    return looking({ directory, encryption }, async (store) => {
      const names = await accountsOf(store, accounts);
      const boxes = await mailboxesOf(store, names);
      const total = boxes.reduce((sum, { messages }) => sum + messages, 0);
      const progress = new Progress(io.stderr, 'messages');
      let written = 0;
      for (const { id, address } of names) {
        const maildir = path.join(target, directoryOf(address || id));
        await exportAccount(store, id, maildir, () => progress.show(++written, total));
      }
      progress.end();
      const summary = { accounts: names.length, mailboxes: boxes.length, messages: written };
      io.stdout.write(
        json
          ? `${JSON.stringify(summary)}\n`
          : `${written} messages in ${boxes.length} mailboxes of ${names.length} accounts\n`,
      );
      return true;
    });
  },
};

/** An account's address as the name of a directory. */
const directoryOf = (name: string) =>
  name.replace(/[/\\%\p{Cc}]|^\.+$/gu, (part) => encodeURIComponent(part).replaceAll('.', '%2E'));

async function exportAccount(
  store: Looked,
  account: AccountId,
  maildir: string,
  step: () => void,
): Promise<void> {
  const boxes = await store.mailboxes(account);
  for (const box of boxes) await exportMailbox(store, box, maildir, step);
  const subscribed = [
    ...boxes.filter((box) => box.subscribed).map(({ name }) => name),
    ...(await store.subscribedNames(account)),
  ];
  const lines = subscribed.map((name) => `${name === 'INBOX' ? name : folderOf(name).slice(1)}\n`);
  fs.writeFileSync(path.join(maildir, 'subscriptions'), lines.sort().join(''));
}

async function exportMailbox(
  store: Looked,
  box: MailboxInfo,
  maildir: string,
  step: () => void,
): Promise<void> {
  const { id, name, uidValidity, uidNext } = box;
  const folder = new MaildirFolder(maildir, name, uidValidity, uidNext);
  const snapshot = await store.open(id);
  for (const message of messagesOf(snapshot)) {
    await folder.add(message, store.read({ snapshot, uid: message.uid }));
    step();
  }
  folder.finish();
}
