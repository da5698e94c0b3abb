/** EXPUNGE and UID EXPUNGE (RFC 9051 sections 6.4.3 and 6.4.9). The view tells of each message after the command. */
import { MAX_UID, type Uid, type UidRanges } from '@mail-server-kit/core';
import { command } from '../command.ts';
import { removed } from '../removal.ts';

const everything: UidRanges = [[1 as Uid, MAX_UID]];

export const expunge = command({
  name: 'EXPUNGE',
  state: 'selected',
  uid: true,
  writes: true,

  parse(read, { uid }) {
    const messages = uid ? read.sequenceSet() : undefined;
    read.end();
    return { messages };
  },

  async run(call) {
    const { store, view } = call.session;
    const { messages } = call.args;
    const uids = messages ? view.uidsOf(messages, true) : everything;
    await store.commit([{ op: 'expunge', mailbox: view.mailbox, uids, onlyDeleted: true }]);
    view.touch();
    return removed(call, 'EXPUNGE');
  },
});
