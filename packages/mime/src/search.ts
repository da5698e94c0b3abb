/**
 * SEARCH by reading (RFC 9051 section 6.4.4): exact, for any MailStore, at the price of reading what it searches. Asks for
 * as little as decides: facts first, then the header, then all of the message.
 */
import {
  ascending,
  isMailError,
  type EmailId,
  type Facts,
  type MailboxSnapshot,
  type MailStore,
  type Part,
  type Query,
  type Row,
  type ThreadId,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { parseDate } from './date.ts';
import { factsOf } from './facts.ts';
import { foldText } from './fold.ts';
import { FACTS_VERSION } from './scan.ts';
import { searchHeader, searchText, type SearchField, type SearchText } from './search-text.ts';
import { decodeStructure } from './structure.ts';

/** What is known of a message so far; a query that needs more is undecided. */
export interface Known {
  /** Day of the Date field, see `sentDay`; null: it has none. */
  readonly sentDay?: number | null | undefined;
  /** null: the message has no such id. */
  readonly emailId?: EmailId | null | undefined;
  readonly threadId?: ThreadId | null | undefined;
  readonly header?: readonly SearchField[] | undefined;
  readonly text?: SearchText | undefined;
}

/** True, false, or undefined where `known` is not enough to tell. */
export function decide(query: Query, known: Known): boolean | undefined {
  if ('all' in query) return every(query.all, known);
  if ('any' in query) {
    const none = every(
      query.any.map((not) => ({ not })),
      known,
    );
    return none === undefined ? undefined : !none;
  }
  if ('not' in query) {
    const inner = decide(query.not, known);
    return inner === undefined ? undefined : !inner;
  }
  if ('text' in query) return known.text && containsText(known.text, query.text, query.in);
  if ('header' in query) return hasField(known.text?.header ?? known.header, query);
  if ('emailId' in query) return equals(known.emailId, query.emailId);
  if ('threadId' in query) return equals(known.threadId, query.threadId);
  const { sentBefore = Infinity, sentSince = -Infinity } = query;
  const { sentDay: day } = known;
  return day === undefined ? undefined : day !== null && day < sentBefore && day >= sentSince;
}

function every(queries: readonly Query[], known: Known): boolean | undefined {
  let result: boolean | undefined = true;
  for (const query of queries) {
    const one = decide(query, known);
    if (one === false) return false;
    if (one === undefined) result = undefined;
  }
  return result;
}

const equals = (known: string | null | undefined, wanted: string) =>
  known === undefined ? undefined : known === wanted;

/** Whether a message matches of which all is known. */
export function matches(query: Query, known: Required<Omit<Known, 'header'>>): boolean {
  return decide(query, known) ?? false;
}

/** What is looked for in the folded texts of a message, and in its folded header fields. */
export interface Wanted {
  readonly inBody: string;
  readonly inField: string;
}

export function wantedText(string: string): Wanted {
  const inBody = foldText(string.replaceAll('\r\n', '\n'));
  return { inBody, inField: oneSpace(inBody) };
}

/** The same for one field. */
export const wantedInField = (contains: string): string => oneSpace(foldText(contains));

/** BODY looks at the texts, TEXT at all header fields too. No match goes from one field or part into the next. */
function containsText(text: SearchText, string: string, where: 'body' | 'text'): boolean {
  const { inBody: wanted, inField } = wantedText(string);
  if (text.body.some((part) => part.includes(wanted))) return true;
  if (where === 'body') return wanted === '';
  const holds = ({ name, value }: SearchField) =>
    value.includes(inField) || `${foldText(name)}: ${value}`.includes(inField);
  return wanted === '' || text.header.some(holds) || text.partHeaders.some(holds);
}

function hasField(
  fields: readonly SearchField[] | undefined,
  { header, contains }: { header: string; contains: string },
): boolean | undefined {
  const name = header.toLowerCase();
  const wanted = wantedInField(contains);
  return fields?.some((field) => field.name === name && field.value.includes(wanted));
}

/** Fields are compared unfolded, with one space for any white space. */
const oneSpace = (text: string) => text.replace(/[ \t\r\n]+/g, ' ');

const DAY = 86_400_000;

/** The day that the Date field of this ENVELOPE names, "disregarding time and timezone": 00:00 UTC of that day in ms. null: none. */
export function sentDay(envelope: Uint8Array): number | null {
  const date = parseDate(firstString(envelope));
  if (!date) return null;
  return Math.floor((date.time + date.zone * 60_000) / DAY) * DAY;
}

/** Octets of the Date field that are looked at; parseDate wants no more. */
const MAX_DATE = 256;

/**
 * Date is the first string of ENVELOPE. It is a literal where the name of the time zone, which some write in a comment, has
 * octets above 127: `(Mitteleuropäische Zeit)`.
 */
function firstString(envelope: Uint8Array): string {
  const start = Buffer.from(envelope.subarray(0, 2 * MAX_DATE + 16)).toString('latin1');
  const literal = /^\(\{(\d{1,9})\}\r\n/.exec(start);
  if (literal) {
    const from = literal[0].length;
    return start.slice(from, from + Math.min(Number(literal[1]), MAX_DATE));
  }
  const quoted = /^\("((?:[^"\\]|\\.)*)/.exec(start);
  return quoted?.[1]?.replace(/\\(.)/g, '$1') ?? '';
}

/** What has to be fetched for a query. */
function partsFor(query: Query, parts = new Set<Part>()): Set<Part> {
  if ('all' in query) for (const one of query.all) partsFor(one, parts);
  else if ('any' in query) for (const one of query.any) partsFor(one, parts);
  else if ('not' in query) partsFor(query.not, parts);
  else if ('header' in query) parts.add('structure');
  else if ('emailId' in query || 'threadId' in query) parts.add('ids');
  else if (!('text' in query)) parts.add('envelope');
  return parts;
}

const needsBody = (query: Query): boolean => {
  if ('all' in query) return query.all.some(needsBody);
  if ('any' in query) return query.any.some(needsBody);
  return 'not' in query ? needsBody(query.not) : 'text' in query;
};

/** What of a store is needed. */
export type Readable = Pick<MailStore, 'fetch' | 'read'>;

/**
 * The uids of `among` (default: of the whole mailbox) whose messages match. A message that vanishes meanwhile does not.
 * Reads one message at a time.
 * @throws MailError CORRUPTION, UNAVAILABLE
 */
export async function searchByReading(
  store: Readable,
  snapshot: MailboxSnapshot,
  query: Query,
  among?: UidRanges,
): Promise<UidRanges> {
  const uids = among ?? wholeMailbox(snapshot);
  const parts = partsFor(query);
  const found: Uid[] = [];
  for await (const rows of store.fetch(snapshot, uids, [...parts])) {
    for (const row of rows) {
      if (await matchesRow(store, snapshot, query, parts, row)) found.push(row.uid);
    }
  }
  return ascending(found);
}

const wholeMailbox = ({ blocks }: MailboxSnapshot): UidRanges => {
  const first = blocks[0]?.uid[0];
  const last = blocks.at(-1)?.uid.at(-1);
  return first === undefined || last === undefined ? [] : [[first as Uid, last as Uid]];
};

async function matchesRow(
  store: Readable,
  snapshot: MailboxSnapshot,
  query: Query,
  parts: ReadonlySet<Part>,
  row: Row,
): Promise<boolean> {
  const source = { snapshot, uid: row.uid };
  try {
    const facts: Partial<Facts> =
      row.facts.version === FACTS_VERSION || !(parts.has('envelope') || parts.has('structure'))
        ? row.facts
        : await factsOf(store.read(source));
    const known: Known = {
      sentDay: facts.envelope && sentDay(facts.envelope),
      emailId: parts.has('ids') ? (row.emailId ?? null) : undefined,
      threadId: parts.has('ids') ? (row.threadId ?? null) : undefined,
    };
    const early = decide(query, known);
    if (early !== undefined) return early;
    if (facts.structure) {
      const { end } = decodeStructure(facts.structure).header;
      const octets: Uint8Array[] = [];
      for await (const chunk of store.read(source, 0, end)) octets.push(chunk);
      const header = searchHeader(Buffer.concat(octets));
      const later = decide(query, { ...known, header });
      if (later !== undefined || !needsBody(query)) return later ?? false;
    }
    return decide(query, { ...known, text: await searchText(store.read(source)) }) ?? false;
  } catch (error) {
    if (isMailError(error, 'EXPUNGED', 'NONEXISTENT')) return false;
    throw error;
  }
}
