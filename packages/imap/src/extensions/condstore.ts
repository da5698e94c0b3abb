/** CONDSTORE: modification sequences (RFC 7162 section 3.1). */
import type { ModSeq } from '@mail-server-kit/core';
import type { NumberColumn } from '../columns.ts';
import type { Extension, SearchExtra } from '../extension.ts';
import { numberPart } from '../fetch/items.ts';
import type { Respond } from '../respond.ts';
import type { Rows } from '../rows.ts';
import type { View } from '../view.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

/** `entry-type-req` (RFC 7162 section 7). */
const entryTypes = ['PRIV', 'SHARED', 'ALL'];

function modSeqOf({ block, row }: Rows): number {
  return block.modSeq[row] as number;
}

const modSeqColumn: NumberColumn = { before: 'MODSEQ (', after: ')', of: ({ modSeq }) => modSeq };
const modSeqPart = numberPart(modSeqColumn);

/** "the highest mod-sequence for all messages being returned" (RFC 7162 section 3.1.6). */
const highest: SearchExtra = {
  name: 'MODSEQ',
  enables: 'CONDSTORE',
  value(found, view) {
    let value = 0;
    const rows = view.rows(found);
    while (rows.next()) value = Math.max(value, modSeqOf(rows));
    return value;
  },
};

function modSeqValue(read: Reader): ModSeq {
  read.sp();
  return read.number64('a modification sequence') as ModSeq;
}

function tellHighest({ snapshot }: View, respond: Respond): void {
  respond.code(`HIGHESTMODSEQ ${snapshot.highestModSeq}`, 'Highest modification sequence');
}

export const condstore: Extension = {
  capabilities: ['CONDSTORE'],
  enables: [
    {
      name: 'CONDSTORE',
      // From now on every response that tells of flags tells the modseq too, and "A first CONDSTORE enabling command
      // executed in the session with a mailbox selected MUST cause the server to return HIGHESTMODSEQ" (RFC 7162 section
      // 3.1).
      enable({ wording, view }, respond) {
        wording.besideFlags.push(modSeqColumn);
        wording.afterRemoval = ({ snapshot }) => `HIGHESTMODSEQ ${snapshot.highestModSeq}`;
        if (view) tellHighest(view, respond);
      },
    },
  ],
  selectParameters: [{ name: 'CONDSTORE', enables: 'CONDSTORE', parse: () => () => {} }],
  selectResponses: [
    // Also to those who did not ask (RFC 7162 section 3.1.2.1).
    tellHighest,
  ],
  statusItems: [
    { name: 'HIGHESTMODSEQ', enables: 'CONDSTORE', value: (info) => info.highestModSeq },
  ],
  fetchItems: [{ name: 'MODSEQ', enables: 'CONDSTORE', parse: () => modSeqPart }],
  fetchModifiers: [
    {
      name: 'CHANGEDSINCE',
      parse(read) {
        const since = modSeqValue(read);
        return {
          only: (rows) => modSeqOf(rows) > since,
          // It adds the MODSEQ item by itself (RFC 7162 section 3.1.4.1).
          also: [modSeqPart],
          enables: 'CONDSTORE',
        };
      },
    },
  ],
  storeModifiers: [
    {
      name: 'UNCHANGEDSINCE',
      parse: (read) => ({ unchangedSince: modSeqValue(read), enables: 'CONDSTORE' }),
    },
  ],
  searchKeys: [
    {
      name: 'MODSEQ',
      parse(read, { tell }) {
        read.sp();
        // Which flag's modseq is meant makes no difference here: there is one for each message.
        if (read.next === '"') {
          read.string();
          read.sp();
          const type = read.keyword('priv, shared or all');
          if (!entryTypes.includes(type)) throw new Problem('Expected priv, shared or all');
          read.sp();
        }
        const least = read.number64('a modification sequence');
        tell(highest);
        return { kind: 'columns', on: () => (rows) => modSeqOf(rows) >= least };
      },
    },
  ],
};
