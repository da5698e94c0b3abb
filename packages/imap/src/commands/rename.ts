/** RENAME (RFC 9051 section 6.3.6): mailboxes below go along; of INBOX the messages go, and it stays. */
import { MailError, type MailboxInfo, type Write } from '@mail-server-kit/core';
import { command } from '../command.ts';
import { missingParents, parentsOf } from '../mailboxes.ts';
import { DELIMITER } from '../list-entry.ts';

export const rename = command({
  name: 'RENAME',
  state: 'authenticated',

  parse(read) {
    const from = read.mailbox();
    read.sp();
    const to = read.mailbox();
    read.end();
    return { from, to };
  },

  async run({ session, args }) {
    const { store, account } = session;
    const mailboxes = await store.mailboxes(account.id);
    const name = args.to.endsWith(DELIMITER) ? args.to.slice(0, -1) : args.to;
    // "It is an error to attempt to rename ... to a mailbox name that already exists" (RFC 9051 section 6.3.6): its own, and
    // one into which those below a mere level would go, too.
    if (mailboxes.some((info) => info.name === name)) {
      throw new MailError('ALREADYEXISTS', 'Mailbox already exists');
    }
    // "If the server's hierarchy separator character appears in the new mailbox name, the server SHOULD create any superior
    // hierarchical names that are needed" (RFC 9051 section 6.3.6).
    const parents = await missingParents(session, name);
    const renames = renamed(mailboxes, args.from).map(({ id, name: old }): Write => ({
      op: 'renameMailbox',
      mailbox: id,
      name: name + old.slice(args.from.length),
    }));
    if (renames.length === 0) throw new MailError('NONEXISTENT', 'There is no such mailbox');
    await store.commit([...parents, ...renames]);
    session.view?.touch();
  },
});

/** The mailbox itself, which takes those below it along; of a level that is none, the first ones below it. */
function renamed(mailboxes: readonly MailboxInfo[], from: string): readonly MailboxInfo[] {
  const self = mailboxes.find(({ name }) => name === from);
  if (self) return [self];
  const below = mailboxes.filter(({ name }) => name.startsWith(from + DELIMITER));
  const names = new Set(below.map(({ name }) => name));
  return below.filter(({ name }) => !parentsOf(name).some((parent) => names.has(parent)));
}
