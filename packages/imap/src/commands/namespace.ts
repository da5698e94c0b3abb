/** NAMESPACE (RFC 9051 section 6.3.10): one's own mailboxes begin at the root; there are no others. */
import { command, nothing } from '../command.ts';
import { DELIMITER } from '../list-entry.ts';

export const namespace = command({
  name: 'NAMESPACE',
  state: 'authenticated',
  parse: nothing,
  async run({ respond }) {
    respond.untagged(`NAMESPACE (("" "${DELIMITER}")) NIL NIL`);
  },
});
