/** STATUS (RFC 9051 section 6.3.11). */
import type { MailboxInfo } from '@mail-server-kit/core';
import { command, type Call } from '../command.ts';
import type { Dialect } from '../dialect.ts';
import { switchOnFor } from '../enabling.ts';
import type { StatusItem } from '../extension.ts';
import { mailboxNamed } from '../mailboxes.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

export const status = command({
  name: 'STATUS',
  state: 'authenticated',

  parse(read, { dialect }) {
    const mailbox = read.mailbox();
    read.sp();
    const items = readStatusItems(read, dialect);
    read.end();
    return { mailbox, items };
  },

  async run({ session, args: { mailbox, items }, respond }) {
    switchOnFor({ session, respond }, items);
    await writeStatus(await mailboxNamed(session, mailbox), items, { session, respond });
  },
});

export function readStatusItems(read: Reader, dialect: Dialect): StatusItem[] {
  const items = read.list(() => {
    const name = read.keyword('a STATUS item');
    const item = dialect.statusItems.get(name);
    if (!item) throw new Problem(`Unknown STATUS item ${name.slice(0, 32)}`);
    return item;
  });
  return [...new Set(items)];
}

export async function writeStatus(
  info: MailboxInfo,
  items: readonly StatusItem[],
  { session, respond }: Pick<Call<'authenticated', unknown>, 'session' | 'respond'>,
): Promise<void> {
  const values: string[] = [];
  for (const item of items) values.push(`${item.name} ${await item.value(info, session)}`);
  respond.out.text('* STATUS ');
  respond.mailbox(info.name);
  respond.out.text(` (${values.join(' ')})\r\n`);
}
