/** ENABLE (RFC 9051 section 6.3.1). What is not known is passed over: clients ask for more than was offered. */
import { command } from '../command.ts';
import { switchOn } from '../enabling.ts';

export const enable = command({
  name: 'ENABLE',
  state: 'authenticated',

  parse(read) {
    const names: string[] = [];
    do names.push(read.keyword('a capability'));
    while (read.skip(' '));
    read.end();
    return names;
  },

  async run({ session, args, respond }) {
    const enabled = args.filter((name) => switchOn({ session, respond }, name));
    // Exactly what this command switched on; an empty list if nothing was (RFC 5161 section 3.2).
    respond.untagged(['ENABLED', ...enabled.map(spelling)].join(' '));
  },
});

/** IMAP4rev2 is written so. */
function spelling(name: string): string {
  return name === 'IMAP4REV2' ? 'IMAP4rev2' : name;
}
