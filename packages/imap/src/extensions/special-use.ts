/** SPECIAL-USE and CREATE-SPECIAL-USE (RFC 6154). LIST tells the attributes in any case. */
import type { Extension } from '../extension.ts';
import { no } from '../outcome.ts';

/** RFC 6154 section 2; \Important: RFC 8457. */
const uses = [
  '\\All',
  '\\Archive',
  '\\Drafts',
  '\\Flagged',
  '\\Important',
  '\\Junk',
  '\\Sent',
  '\\Trash',
];
/** Views on other mailboxes, which cannot be made by hand. */
const views = ['\\All', '\\Flagged', '\\Important'];

export const specialUse: Extension = {
  capabilities: ['SPECIAL-USE', 'CREATE-SPECIAL-USE'],
  listSelections: [
    { name: 'SPECIAL-USE', kind: 'base', matches: ({ info }) => info?.specialUse !== undefined },
  ],
  listReturns: [
    {
      name: 'SPECIAL-USE',
      parse: () => ({ attributes: ({ info }) => (info?.specialUse ? [info.specialUse] : []) }),
    },
  ],
  createParameters: [
    {
      name: 'USE',
      parse(read) {
        read.sp();
        const asked = read.list(() => read.attribute(), { empty: true });
        if (asked.length === 0) return {};
        const use = uses.find((known) => known.toLowerCase() === asked[0]?.toLowerCase());
        // A use that cannot be given is USEATTR, and nothing is created (RFC 6154 section 3).
        if (!use || asked.length > 1 || views.includes(use)) {
          throw no('USEATTR', 'A mailbox cannot have this use');
        }
        return { specialUse: use };
      },
    },
  ],
};
