/** CREATE (RFC 9051 section 6.3.4), with the parameters of RFC 4466 section 2.2. */
import { MailError } from '@mail-server-kit/core';
import { command } from '../command.ts';
import type { CreateParameter } from '../extension.ts';
import { DELIMITER } from '../list-entry.ts';
import { missingParents } from '../mailboxes.ts';
import { Problem } from '../wire/problem.ts';

export const create = command({
  name: 'CREATE',
  state: 'authenticated',

  parse(read, { dialect }) {
    const name = read.mailbox();
    const parameters: ReturnType<CreateParameter['parse']>[] = !read.skip(' ')
      ? []
      : read.list(() => {
          const row = dialect.createParameters.get(read.keyword('a parameter'));
          if (!row) throw new Problem('Unknown CREATE parameter');
          return row.parse(read);
        });
    read.end();
    return { name, parameters };
  },

  async run({ session, args }) {
    // A delimiter at the end says that names below it will follow; the name itself is without it.
    const name = args.name.endsWith(DELIMITER) ? args.name.slice(0, -1) : args.name;
    if (name === 'INBOX') throw new MailError('ALREADYEXISTS', 'INBOX is always there');
    const { store, account } = session;
    const parents = await missingParents(session, name);
    const mailbox = { op: 'createMailbox' as const, account: account.id, name };
    await store.commit([...parents, Object.assign(mailbox, ...args.parameters)]);
  },
});
