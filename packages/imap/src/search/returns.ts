/** What SEARCH returns in an ESEARCH response (RFC 9051 section 6.4.4). */
import { countUids, type Uid, type UidRanges } from '@mail-server-kit/core';
import type { SearchReturn } from '../extension.ts';

function only(uid: Uid | undefined): UidRanges {
  return uid === undefined ? [] : [[uid, uid]];
}

function lowest(set: UidRanges): Uid | undefined {
  return set[0]?.[0];
}

function highest(set: UidRanges): Uid | undefined {
  return set.at(-1)?.[1];
}

export const searchReturns: readonly SearchReturn[] = [
  {
    name: 'MIN',
    value(numbers, { out }) {
      const value = lowest(numbers);
      return value === undefined ? undefined : () => void out.number(value);
    },
    saves: (found) => only(lowest(found)),
  },
  {
    name: 'MAX',
    value(numbers, { out }) {
      const value = highest(numbers);
      return value === undefined ? undefined : () => void out.number(value);
    },
    saves: (found) => only(highest(found)),
  },
  {
    // "If the SEARCH results in no matches, the server MUST NOT include the ALL result option" (RFC 9051 section 6.4.4).
    name: 'ALL',
    value: (numbers, respond) => (numbers.length === 0 ? undefined : () => respond.set(numbers)),
  },
  {
    name: 'COUNT',
    value:
      (numbers, { out }) =>
      () =>
        void out.number(countUids(numbers)),
  },
  { name: 'SAVE' },
];
