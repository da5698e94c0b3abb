/** FETCH and UID FETCH (RFC 9051 section 6.4.5), with the modifiers of RFC 4466 section 2.4. */
import {
  ascending,
  flagBit,
  hasUid,
  isMailError,
  type Part,
  type Row,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { ColumnLines } from '../columns.ts';
import { command, type Call } from '../command.ts';
import type { Dialect } from '../dialect.ts';
import { switchOnFor } from '../enabling.ts';
import type { FetchModifier, FetchPart } from '../extension.ts';
import { flagsPart, macros, numberPart, uidPart } from '../fetch/items.ts';
import { CurrentMessage } from '../fetch/message.ts';
import { no, Refusal } from '../outcome.ts';
import type { Rows } from '../rows.ts';
import type { View } from '../view.ts';
import { Fatal, Problem } from '../wire/problem.ts';
import type { Reader, SequenceSet } from '../wire/reader.ts';
import type { Mark } from '../wire/writer.ts';

/** Items in one command. */
const MOST_ITEMS = 200;

interface Args {
  readonly messages: SequenceSet;
  readonly parts: readonly FetchPart[];
  readonly modifiers: readonly ReturnType<FetchModifier['parse']>[];
  readonly enables: readonly { readonly enables?: string }[];
}

export const fetch = command({
  name: 'FETCH',
  state: 'selected',
  uid: true,
  holdsNumbers: true,

  parse(read, { dialect, uid }): Args {
    const messages = read.sequenceSet();
    read.sp();
    const enables: { enables?: string }[] = [];
    const parts = readItems(read, dialect, enables);
    const modifiers = !read.skip(' ') ? [] : read.list(() => readModifier(read, dialect));
    read.end();
    for (const { also = [] } of modifiers) {
      for (const part of also) if (!parts.includes(part)) parts.push(part);
    }
    // The UID is returned whether it was asked for or not (RFC 9051 section 6.4.9).
    if (uid && !parts.includes(uidPart)) parts.unshift(uidPart);
    return { messages, parts, modifiers, enables: [...enables, ...modifiers] };
  },

  async run(call) {
    const { session, args, uid } = call;
    const { view } = session;
    switchOnFor(call, args.enables);
    const asked = view.uidsOf(args.messages, uid);
    const uids = args.modifiers.reduce(
      (set, { only }) => (only ? filtered(view, set, only) : set),
      asked,
    );
    const seen = await setSeen(call, uids);
    await show(call, uids, seen);
    if (!uid && view.hasGone(asked)) {
      // Told at the next chance (RFC 2180 section 4.1.2).
      throw no('EXPUNGEISSUED', 'Some of the messages are no longer there');
    }
  },
});

function readItems(read: Reader, dialect: Dialect, enables: { enables?: string }[]): FetchPart[] {
  if (read.next !== '(') {
    const name = read.name('a FETCH item');
    const macro = macros.get(name);
    return macro ? [...macro] : [readItem(read, name, dialect, enables)];
  }
  let count = 0;
  const parts = read.list(() => {
    if (++count > MOST_ITEMS) throw new Problem('Too many FETCH items', 'LIMIT');
    return readItem(read, read.name('a FETCH item'), dialect, enables);
  });
  return [...new Set(parts)];
}

function readItem(
  read: Reader,
  name: string,
  dialect: Dialect,
  enables: { enables?: string }[],
): FetchPart {
  const item = dialect.fetchItems.get(name);
  if (!item) throw new Problem(`Unknown FETCH item ${name.slice(0, 32)}`);
  enables.push(item);
  return item.parse(read);
}

function readModifier(read: Reader, dialect: Dialect): ReturnType<FetchModifier['parse']> {
  const name = read.keyword('a FETCH modifier');
  const modifier = dialect.fetchModifiers.get(name);
  if (!modifier) throw new Problem(`Unknown FETCH modifier ${name.slice(0, 32)}`);
  return modifier.parse(read);
}

function filtered(view: View, set: UidRanges, only: (rows: Rows) => boolean): UidRanges {
  const rows = view.rows(set);
  const uids: Uid[] = [];
  while (rows.next()) if (only(rows)) uids.push(rows.uid);
  return ascending(uids);
}

/**
 * Sets \Seen where an item asks for it, in one commit for the whole command and before the first message is shown, so
 * that each response can tell the new flags too. Returns the messages that were not \Seen before.
 */
async function setSeen(call: Call<'selected', Args>, uids: UidRanges): Promise<UidRanges> {
  const { store, view } = call.session;
  if (view.readOnly || !call.args.parts.some((part) => part.setsSeen)) return [];
  const unseen = filtered(view, uids, ({ flagsLow }) => (flagsLow & flagBit.seen) === 0);
  if (unseen.length === 0) return [];
  await store.commit([{ op: 'store', mailbox: view.mailbox, uids: unseen, add: ['\\Seen'] }]);
  view.touch();
  await call.report({ spare: () => unseen });
  return unseen;
}

/** Shows the messages, one FETCH response each. */
async function show(call: Call<'selected', Args>, uids: UidRanges, seen: UidRanges): Promise<void> {
  const { session, respond, args, uid } = call;
  const { view, store } = session;
  const rows = view.rows(uids);
  const message = new CurrentMessage(session, rows, respond);
  const facts = [...new Set(args.parts.flatMap((part) => part.parts ?? []))];
  let failure: unknown;

  const failed = async (error: unknown, mark: Mark): Promise<void> => {
    // A response that is half out cannot be taken back: the client would read the next one as its text.
    if (!isOneMessages(error)) throw error;
    if (!respond.out.rewind(mark)) throw new Fatal('A message could not be read to its end');
    failure ??= error;
    // It has become \Seen all the same.
    if (hasUid(seen, rows.uid)) await write(message, [...(uid ? [uidPart] : []), ...newFlags]);
  };
  // Nothing waits for what is there: a promise costs as much as showing a message.
  const one = (row: Row | undefined, parts: readonly FetchPart[]): Promise<void> | void => {
    const mark = respond.out.mark();
    try {
      const taken = message.take(row);
      const written = taken ? taken.then(() => write(message, parts)) : write(message, parts);
      return written?.catch((error: unknown) => failed(error, mark));
    } catch (error) {
      return failed(error, mark);
    }
  };
  // Who sees a message for the first time is told of its new flags, and of what goes with them.
  const newFlags = [flagsPart, ...session.wording.besideFlags.map(numberPart)];
  const shown = new Set(args.parts.map(({ column }) => column));
  const withFlags = [...args.parts, ...newFlags.filter(({ column }) => !shown.has(column))];
  const partsOf = (uid: number): readonly FetchPart[] =>
    hasUid(seen, uid) ? withFlags : args.parts;

  if (facts.length > 0) {
    for await (const batch of store.fetch(view.snapshot, uids, facts as readonly Part[])) {
      for (const row of batch) {
        while (rows.next() && rows.uid < row.uid);
        const shown = rows.uid === row.uid ? one(row, partsOf(row.uid)) : undefined;
        if (shown) await shown;
        const wait = respond.out.full ? respond.out.flush() : respond.out.spend(octetsOf(row));
        if (wait) await wait;
      }
    }
  } else if (args.parts.every(({ column }) => column !== undefined)) {
    const columns = args.parts.flatMap(({ column }) => column ?? []);
    await new ColumnLines(view, session.wording, columns).write(rows, respond.out);
  } else if (args.parts.every((part) => part.setsSeen === undefined)) {
    await showColumns(message, args.parts);
  } else {
    while (rows.next()) {
      await one(undefined, partsOf(rows.uid));
      if (respond.out.full) await respond.out.flush();
    }
  }
  if (failure !== undefined) throw failure;
}

/** Of the facts that have to be gone through to show a message, though it may show little of them. */
function octetsOf({ facts: { envelope, structure } }: Row): number {
  return (envelope?.length ?? 0) + (structure?.length ?? 0);
}

/** What the columns answer, 100,000 messages in one go: no promise for each of them. */
async function showColumns(message: CurrentMessage, parts: readonly FetchPart[]): Promise<void> {
  const { out } = message.respond;
  while (message.rows.next()) {
    const written = write(message, parts);
    if (written) await written;
    if (out.full) await out.flush();
  }
}

const star = Buffer.from('* ');
const fetchOpen = Buffer.from(' FETCH (');
const space = Buffer.from(' ');
const end = Buffer.from(')\r\n');

function begin({ respond, view, rows }: CurrentMessage): void {
  respond.out.octets(star).number(view.numberOf(rows)).octets(fetchOpen);
}

/** One FETCH response; at once, unless octets of the message are shown. */
function write(message: CurrentMessage, parts: readonly FetchPart[]): Promise<void> | void {
  begin(message);
  return writeFrom(message, parts, 0);
}

function writeFrom(
  message: CurrentMessage,
  parts: readonly FetchPart[],
  from: number,
): Promise<void> | void {
  const { out } = message.respond;
  for (let i = from; i < parts.length; i++) {
    if (i > 0) out.octets(space);
    const wait = (parts[i] as FetchPart).write(message);
    if (wait) return wait.then(() => writeFrom(message, parts, i + 1));
  }
  out.octets(end);
}

/** Only this message cannot be shown; the others can. */
function isOneMessages(error: unknown): boolean {
  return (
    error instanceof Refusal ||
    isMailError(error, 'EXPUNGED', 'CORRUPTION', 'NONEXISTENT', 'CANNOT')
  );
}
