/** What SEARCH can look for (RFC 9051 section 6.4.4; NEW, OLD and RECENT: RFC 3501 section 6.4.4). */
import { canonicalFlag, flagBit, type Query } from '@mail-server-kit/core';
import type { SearchKey, SearchNode, SearchParsing } from '../extension.ts';
import type { Rows } from '../rows.ts';
import type { Reader } from '../wire/reader.ts';

const DAY = 86_400_000;

export const all: SearchNode = { kind: 'all', nodes: [] };

/** Tests one row without looking at the rest of the mailbox. */
function rowTest(test: (rows: Rows) => boolean): SearchNode {
  return { kind: 'columns', on: () => test };
}

function not(node: SearchNode): SearchNode {
  return { kind: 'not', node };
}

function systemFlag(bit: number): SearchNode {
  return rowTest(({ block, row }) => ((block.flagsLow[row] as number) & bit) !== 0);
}

/** Whichever bit the keyword has in this mailbox; none, if no message ever had it. */
export function keyword(name: string): SearchNode {
  const wanted = canonicalFlag(name).toLowerCase();
  return {
    kind: 'columns',
    on({ snapshot }) {
      const bit = snapshot.flagNames.findIndex((flag) => flag.toLowerCase() === wanted);
      if (bit < 0) return () => false;
      const mask = 1 << (bit & 31);
      return bit < 32
        ? ({ block, row }) => ((block.flagsLow[row] as number) & mask) !== 0
        : ({ block, row }) => ((block.flagsHigh[row] as number) & mask) !== 0;
    },
  };
}

const recent: SearchNode = { kind: 'columns', on: (view) => (rows) => view.isRecent(rows.uid) };

function plain(name: string, node: SearchNode): SearchKey {
  return { name, parse: () => node };
}

function flag(name: string, bit: number): SearchKey[] {
  return [plain(name, systemFlag(bit)), plain(`UN${name}`, not(systemFlag(bit)))];
}

function withArgument<T>(
  name: string,
  argument: (read: Reader, parsing: SearchParsing) => T,
  make: (value: T) => SearchNode,
): SearchKey {
  return {
    name,
    parse(read, parsing) {
      read.sp();
      return make(argument(read, parsing));
    },
  };
}

/** INTERNALDATE "disregarding time and timezone": the day that the client sees in it. */
function internalDay(name: string, fits: (day: number, asked: number) => boolean): SearchKey {
  return withArgument(
    name,
    (read) => read.date(),
    (asked) =>
      rowTest(({ block, row }) => {
        const local =
          (block.internalDate[row] as number) + (block.internalZone[row] as number) * 60_000;
        return fits(Math.floor(local / DAY) * DAY, asked);
      }),
  );
}

function query(value: Query): SearchNode {
  return { kind: 'query', query: value };
}

function sentDay(name: string, range: (day: number) => Query): SearchKey {
  return withArgument(
    name,
    (read) => read.date(),
    (day) => query(range(day)),
  );
}

function header(name: string): SearchKey {
  return withArgument(
    name,
    (read, parsing) => parsing.text(read),
    (contains) => query({ header: name.toLowerCase(), contains }),
  );
}

function text(name: string, where: 'body' | 'text'): SearchKey {
  return withArgument(
    name,
    (read, parsing) => parsing.text(read),
    // Every text holds the empty one.
    (value) => (value === '' ? all : query({ text: value, in: where })),
  );
}

export const searchKeys: readonly SearchKey[] = [
  plain('ALL', all),
  ...flag('ANSWERED', flagBit.answered),
  ...flag('DELETED', flagBit.deleted),
  ...flag('DRAFT', flagBit.draft),
  ...flag('FLAGGED', flagBit.flagged),
  ...flag('SEEN', flagBit.seen),
  withArgument('KEYWORD', (read) => read.attribute(), keyword),
  withArgument(
    'UNKEYWORD',
    (read) => read.attribute(),
    (name) => not(keyword(name)),
  ),
  plain('RECENT', recent),
  plain('OLD', not(recent)),
  plain('NEW', { kind: 'all', nodes: [recent, not(systemFlag(flagBit.seen))] }),
  internalDay('BEFORE', (day, asked) => day < asked),
  internalDay('ON', (day, asked) => day === asked),
  internalDay('SINCE', (day, asked) => day >= asked),
  sentDay('SENTBEFORE', (day) => ({ sentBefore: day })),
  sentDay('SENTON', (day) => ({ sentSince: day, sentBefore: day + DAY })),
  sentDay('SENTSINCE', (day) => ({ sentSince: day })),
  withArgument(
    'LARGER',
    (read) => read.number64(),
    (size) => rowTest(({ block, row }) => (block.size[row] as number) > size),
  ),
  withArgument(
    'SMALLER',
    (read) => read.number64(),
    (size) => rowTest(({ block, row }) => (block.size[row] as number) < size),
  ),
  ...['BCC', 'CC', 'FROM', 'SUBJECT', 'TO'].map(header),
  text('BODY', 'body'),
  text('TEXT', 'text'),
  withArgument(
    'HEADER',
    (read, parsing) => {
      const name = read.astring('a header field');
      read.sp();
      return { header: name, contains: parsing.text(read) };
    },
    query,
  ),
  withArgument(
    'UID',
    (read) => read.sequenceSet(),
    (set) => ({ kind: 'set', set, uid: true }),
  ),
  withArgument('NOT', (read, parsing) => parsing.key(read), not),
  {
    name: 'OR',
    parse(read, parsing) {
      read.sp();
      const left = parsing.key(read);
      read.sp();
      return { kind: 'any', nodes: [left, parsing.key(read)] };
    },
  },
];
