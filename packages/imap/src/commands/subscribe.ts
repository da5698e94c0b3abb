/** SUBSCRIBE and UNSUBSCRIBE (RFC 9051 sections 6.3.7 and 6.3.8). A name may be subscribed that has no mailbox (yet, or any more). */
import { command, type Command } from '../command.ts';
import { findMailbox } from '../mailboxes.ts';

export const subscribe = subscribing('SUBSCRIBE', true);
export const unsubscribe = subscribing('UNSUBSCRIBE', false);

function subscribing(name: string, subscribed: boolean): Command {
  return command({
    name,
    state: 'authenticated',
    parse(read) {
      const mailbox = read.mailbox();
      read.end();
      return { mailbox };
    },
    async run({ session, args }) {
      const { store, account } = session;
      const info = await findMailbox(session, args.mailbox);
      await store.commit([
        info
          ? { op: 'setMailbox', mailbox: info.id, subscribed }
          : { op: 'subscribeName', account: account.id, name: args.mailbox, subscribed },
      ]);
    },
  });
}
