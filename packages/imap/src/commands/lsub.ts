/** LSUB of IMAP4rev1 (RFC 3501 section 6.3.9). */
import { command } from '../command.ts';
import { entriesOf } from '../list/entries.ts';
import { glob } from '../list/glob.ts';
import { writeList } from '../list/response.ts';
import { parentsOf } from '../mailboxes.ts';

export const lsub = command({
  name: 'LSUB',
  state: 'authenticated',

  parse(read) {
    const reference = read.reference();
    read.sp();
    const pattern = read.listMailbox();
    read.end();
    return { reference, pattern };
  },

  async run({ session, args, respond }) {
    const fits = glob(args.reference + args.pattern);
    const shown = new Map<string, readonly string[]>();
    for (const entry of await entriesOf(session)) {
      if (!entry.subscribed) continue;
      if (fits(entry.name)) shown.set(entry.name, entry.info ? [] : ['\\Noselect']);
      // "foo/bar" is subscribed and "%" asks: "foo" is shown, with \Noselect if it is not subscribed itself (RFC 3501
      // section 6.3.9).
      else if (args.pattern.endsWith('%')) {
        for (const parent of parentsOf(entry.name)) {
          if (fits(parent) && !shown.has(parent)) shown.set(parent, ['\\Noselect']);
        }
      }
    }
    for (const [name, attributes] of shown) {
      writeList(respond, attributes, name, { response: 'LSUB' });
    }
  },
});
