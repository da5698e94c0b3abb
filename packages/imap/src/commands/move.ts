/**
 * MOVE and UID MOVE: copy to another mailbox and expunge here, as one commit.
 * RFC 9051 section 6.4.8; order of the responses: RFC 6851 section 4.3.
 */
import { command } from '../command.ts';
import { copyUid } from '../copies.ts';
import { destination } from '../mailboxes.ts';
import { removed } from '../removal.ts';

export const move = command({
  name: 'MOVE',
  state: 'selected',
  uid: true, // UID MOVE is the same with uids for numbers
  writes: true, // refused after EXAMINE

  parse(read) {
    const messages = read.sequenceSet();
    read.sp();
    const to = read.mailbox();
    read.end();
    return { messages, to };
  },

  async run(call) {
    const { session, args, uid, respond } = call;
    const { store, view } = session;
    const uids = view.uidsOf(args.messages, uid);
    const to = await destination(session, args.to);
    // What others have moved or expunged meanwhile is passed over: whoever asks again after a lost answer is not told of
    // an error that there is none.
    const commit = await store.commit([{ op: 'move', mailbox: view.mailbox, uids, to: to.id }]);
    view.touch();
    // COPYUID goes first, in an untagged OK (RFC 6851 section 4.3): the client has to learn the new uids while its own
    // numbers still stand.
    const code = copyUid(to.uidValidity, commit.results[0]);
    if (code) respond.untagged(`OK ${code} Moved`);
    return removed(call, 'MOVE');
  },
});
