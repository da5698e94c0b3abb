/** CLOSE (RFC 9051 section 6.4.1) and UNSELECT (section 6.4.2). */
import { MAX_UID, type Uid, type UidRanges } from '@mail-server-kit/core';
import { command, nothing } from '../command.ts';

/** Every uid there is. */
const everything: UidRanges = [[1 as Uid, MAX_UID]];

/** Expunges what is \Deleted, without a word about it: "no untagged EXPUNGE responses are sent". */
export const close = command({
  name: 'CLOSE',
  state: 'selected',
  parse: nothing,
  async run({ session: { store, view }, talk }) {
    if (!view.readOnly) {
      await store.commit([
        { op: 'expunge', mailbox: view.mailbox, uids: everything, onlyDeleted: true },
      ]);
    }
    talk.select(undefined);
  },
});

export const unselect = command({
  name: 'UNSELECT',
  state: 'selected',
  parse: nothing,
  async run({ talk }) {
    talk.select(undefined);
  },
});
