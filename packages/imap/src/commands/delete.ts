/** DELETE (RFC 9051 section 6.3.5). Mailboxes below stay; the name is then a level only, until they are gone too. */
import { MailError } from '@mail-server-kit/core';
import { command } from '../command.ts';
import { mailboxNamed } from '../mailboxes.ts';

export const deleteMailbox = command({
  name: 'DELETE',
  state: 'authenticated',

  parse(read) {
    const name = read.mailbox();
    read.end();
    return { name };
  },

  async run({ session, args, respond, talk }) {
    if (args.name === 'INBOX') throw new MailError('CANNOT', 'INBOX cannot be deleted');
    const { id } = await mailboxNamed(session, args.name);
    await session.store.commit([{ op: 'deleteMailbox', mailbox: id }]);
    if (session.view?.mailbox === id) {
      talk.select(undefined);
      respond.code('CLOSED', 'The selected mailbox was deleted');
    }
  },
});
