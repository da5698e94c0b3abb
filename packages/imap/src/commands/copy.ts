/** COPY and UID COPY (RFC 9051 section 6.4.7): all of them or none, in one commit. */
import { command } from '../command.ts';
import { copyUid } from '../copies.ts';
import { destination } from '../mailboxes.ts';
import { no } from '../outcome.ts';

export const copy = command({
  name: 'COPY',
  state: 'selected',
  uid: true,

  parse(read) {
    const messages = read.sequenceSet();
    read.sp();
    const to = read.mailbox();
    read.end();
    return { messages, to };
  },

  async run({ session, args, uid }) {
    const { store, view } = session;
    const uids = view.uidsOf(args.messages, uid);
    const to = await destination(session, args.to);
    // Somebody else expunged one of those that were named: the copy would not be what was asked for (RFC 2180 section 4.4.1).
    if (!uid && view.hasGone(uids)) {
      throw no('EXPUNGEISSUED', 'Some of the messages are no longer there');
    }
    const commit = await store.commit([{ op: 'copy', mailbox: view.mailbox, uids, to: to.id }]);
    view.touch();
    const code = copyUid(to.uidValidity, commit.results[0]);
    return code ? `${code} COPY completed` : 'No messages copied';
  },
});
