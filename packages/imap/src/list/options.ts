/** Selection and return options of LIST (RFC 9051 sections 6.3.9.1 and 6.3.9.2). */
import { readStatusItems, writeStatus } from '../commands/status.ts';
import { switchOnFor } from '../enabling.ts';
import type { ListReturn, ListSelection, ListShow } from '../extension.ts';

const subscribed: ListShow = {
  attributes: (entry) => (entry.subscribed ? ['\\Subscribed'] : []),
};

export const listSelections: readonly ListSelection[] = [
  {
    name: 'SUBSCRIBED',
    kind: 'base',
    matches: (entry) => entry.subscribed,
    shows: subscribed,
  },
  // There are no mailboxes on other servers: asking for them too adds none.
  { name: 'REMOTE', kind: 'independent' },
  { name: 'RECURSIVEMATCH', kind: 'modifier' },
];

export const listReturns: readonly ListReturn[] = [
  {
    name: 'SUBSCRIBED',
    parse: () => subscribed,
  },
  // They are told in every LIST, as RFC 3348 has it.
  { name: 'CHILDREN', parse: () => ({}) },
  {
    name: 'STATUS',
    parse(read, { dialect }) {
      read.sp();
      const items = readStatusItems(read, dialect);
      return {
        async after({ info }, { session, respond }) {
          switchOnFor({ session, respond }, items);
          // What is no mailbox has no status, and so no STATUS response (RFC 5819 section 2).
          if (info) await writeStatus(info, items, { session, respond });
        },
      };
    },
  },
];
