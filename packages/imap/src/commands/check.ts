/** CHECK of IMAP4rev1 (RFC 3501 section 6.4.1). Every commit is durable already; mbsync sends it all the same. */
import { command, nothing } from '../command.ts';

export const check = command({
  name: 'CHECK',
  state: 'selected',
  parse: nothing,
  run: async () => {},
});
