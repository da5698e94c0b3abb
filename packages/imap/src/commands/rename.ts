/** RENAME (RFC 9051 section 6.3.6): mailboxes below go along; of INBOX the messages go, and it stays. */
import { command } from '../command.ts';
import { mailboxNamed, missingParents } from '../mailboxes.ts';
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
    const { id } = await mailboxNamed(session, args.from);
    const name = args.to.endsWith(DELIMITER) ? args.to.slice(0, -1) : args.to;
    // "If the server's hierarchy separator character appears in the new mailbox name, the server SHOULD create any superior
    // hierarchical names that are needed" (RFC 9051 section 6.3.6).
    const parents = await missingParents(session, name);
    await session.store.commit([...parents, { op: 'renameMailbox', mailbox: id, name }]);
    session.view?.touch();
  },
});
