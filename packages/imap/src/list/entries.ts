/** All names that an account's LIST may show. */
import type { ListEntry } from '../list-entry.ts';
import { parentsOf } from '../mailboxes.ts';
import type { Session } from '../session.ts';

/** Mailboxes, the levels above them, and subscribed names without a mailbox; sorted by code points. */
export async function entriesOf({
  store,
  account,
}: Session<'authenticated'>): Promise<ListEntry[]> {
  const [mailboxes, subscribed] = await Promise.all([
    store.mailboxes(account.id),
    store.subscribedNames(account.id),
  ]);
  const infos = new Map(mailboxes.map((info) => [info.name, info]));
  const names = new Set([...infos.keys(), ...subscribed]);
  const parents = new Set<string>();
  for (const name of infos.keys()) for (const parent of parentsOf(name)) parents.add(parent);
  for (const name of [...infos.keys(), ...subscribed]) {
    for (const parent of parentsOf(name)) names.add(parent);
  }
  const withoutMailbox = new Set(subscribed);
  return [...names].sort(byCodePoint).map((name) => {
    const info = infos.get(name);
    return {
      name,
      info,
      subscribed: info?.subscribed ?? withoutMailbox.has(name),
      hasChildren: parents.has(name),
    };
  });
}

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
