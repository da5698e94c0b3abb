/** OLDNAME: a mailbox name that came in another normalization than ours (RFC 9051 sections 5.1 and 6.3.9.7). */
import { listAttributes, writeList } from './list/response.ts';
import { findMailbox } from './mailboxes.ts';
import type { Respond } from './respond.ts';
import type { Session } from './session.ts';

/** `names`: as they are now, and as they were sent. Only clients of IMAP4rev2 know of it. */
export async function tellOldNames(
  session: Session,
  respond: Respond,
  names: ReadonlyMap<string, string>,
): Promise<void> {
  if (names.size === 0 || !session.enabled.has('IMAP4REV2')) return;
  const { store, account } = session;
  if (!store || !account) return;
  for (const [name, old] of names) {
    const info = await findMailbox({ store, account }, name);
    const entry = { name, info, subscribed: info?.subscribed ?? false, hasChildren: false };
    // Whether there are others below it is not looked up for this.
    const attributes = listAttributes(entry).filter((attribute) => attribute !== '\\HasNoChildren');
    writeList(respond, attributes, name, { extended: ` ("OLDNAME" (${JSON.stringify(old)}))` });
  }
}
