/** ID (RFC 2971): who is at either end, for bug reports. */
import { command } from '../command.ts';
import type { Extension } from '../extension.ts';
import { Problem } from '../wire/problem.ts';

/** Pairs that a client may send (RFC 2971 section 3.3). */
const MOST_PAIRS = 30;

const id = command({
  name: 'ID',
  state: 'any',

  parse(read) {
    const pairs: Record<string, string> = {};
    if (!read.skipWord('NIL')) {
      let count = 0;
      const pair = (): void => {
        if (++count > MOST_PAIRS) throw new Problem('At most 30 pairs (RFC 2971 section 3.3)');
        const name = read.string('a name');
        read.sp();
        pairs[name.toLowerCase()] = read.nstring() ?? '';
      };
      read.list(pair, { empty: true });
    }
    read.end();
    return pairs;
  },

  async run({ session, args, respond }) {
    const { wiring, peer } = session;
    wiring.log({
      level: 'info',
      service: 'imap',
      event: 'client id',
      connection: peer.connection,
      id: args,
    });
    const { out } = respond;
    const pairs = Object.entries(wiring.serverId);
    if (pairs.length === 0) return respond.untagged('ID NIL');
    out.text('* ID (');
    pairs.forEach(([name, value], index) => {
      if (index > 0) out.text(' ');
      out.string(name).text(' ').string(value);
    });
    out.text(')\r\n');
  },
});

export const idExtension: Extension = { capabilities: ['ID'], early: true, commands: [id] };
