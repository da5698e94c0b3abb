/** STORE and UID STORE (RFC 9051 section 6.4.6), with the modifiers of RFC 4466 section 2.5. */
import {
  ascending,
  canonicalFlag,
  printUids,
  subtract,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { ColumnLines, FLAGS, uidColumn, type Column } from '../columns.ts';
import { command, type Call } from '../command.ts';
import { switchOnFor } from '../enabling.ts';
import { no } from '../outcome.ts';
import type { Rows } from '../rows.ts';
import type { View } from '../view.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

type Action = 'set' | 'add' | 'remove';

const actions: ReadonlyMap<string, Action> = new Map([
  ['', 'set'],
  ['+', 'add'],
  ['-', 'remove'],
]);

export const store = command({
  name: 'STORE',
  state: 'selected',
  uid: true,
  writes: true,
  holdsNumbers: true,

  parse(read, { dialect }) {
    const messages = read.sequenceSet();
    read.sp();
    const modifiers =
      read.next !== '('
        ? []
        : read.list(() => {
            const row = dialect.storeModifiers.get(read.keyword('a STORE modifier'));
            if (!row) throw new Problem('Unknown STORE modifier');
            return row.parse(read);
          });
    if (modifiers.length > 0) read.sp();
    const { action, silent } = readAction(read);
    read.sp();
    const flags = read.next === '(' ? read.flagList() : readFlags(read);
    read.end();
    return { messages, modifiers, action, silent, flags };
  },

  async run(call) {
    const { session, args, uid, report } = call;
    const { view } = session;
    switchOnFor(call, args.modifiers);
    const uids = view.uidsOf(args.messages, uid);
    const before = view.rows(uids);
    const commit = await session.store.commit([
      {
        op: 'store',
        mailbox: view.mailbox,
        uids,
        [args.action]: args.flags,
        ...Object.assign({}, ...args.modifiers.map(({ unchangedSince }) => ({ unchangedSince }))),
      },
    ]);
    const conflicts = commit.results[0]?.conflicts ?? [];
    const done = conflicts.length > 0 ? subtract(uids, conflicts) : uids;
    view.touch();
    // .SILENT spares what the client can work out, and only that: what somebody else changed at the same time is told.
    await report({
      spare: () =>
        args.silent ? subtract(uids, surprising(before, view.rows(done), view, args)) : uids,
    });
    await show(call, done, !args.silent);
    // The client needs to know what those that failed are now (RFC 7162 section 3.1.3).
    await show(call, conflicts, true);
    if (!uid && view.hasGone(uids)) {
      throw no('EXPUNGEISSUED', 'Some of the messages are no longer there');
    }
    if (conflicts.length === 0) return undefined;
    const numbers = printUids(uid ? conflicts : view.numbersOf(conflicts));
    return `[MODIFIED ${numbers}] Some were changed meanwhile`;
  },
});

function readAction(read: Reader): { action: Action; silent: boolean } {
  const sign = read.skip('+') ? '+' : read.skip('-') ? '-' : '';
  const name = read.keyword('FLAGS');
  if (name !== 'FLAGS' && name !== 'FLAGS.SILENT') throw new Problem('Only FLAGS can be stored');
  return { action: actions.get(sign) as Action, silent: name === 'FLAGS.SILENT' };
}

function readFlags(read: Reader): string[] {
  const flags: string[] = [];
  do flags.push(read.flag());
  while (read.skip(' '));
  return flags;
}

/** The new flags of messages, or with `.SILENT` only what stands beside them (MODSEQ, RFC 7162 section 3.1.3). */
async function show(
  { session, respond, uid }: Call<'selected', unknown>,
  uids: UidRanges,
  flags: boolean,
): Promise<void> {
  const { view, wording } = session;
  if (uids.length === 0 || (!flags && wording.besideFlags.length === 0)) return;
  const columns: readonly Column[] = [
    ...(uid ? [uidColumn] : []),
    ...(flags ? [FLAGS] : []),
    ...wording.besideFlags,
  ];
  await new ColumnLines(view, wording, columns).write(view.rows(uids), respond.out);
}

/** Messages whose flags are others than a client works out that knows those of before, and what it asked for. */
function surprising(
  before: Rows,
  after: Rows,
  { snapshot }: View,
  { action, flags }: { action: Action; flags: readonly string[] },
): UidRanges {
  const asked = { low: 0, high: 0 };
  const wanted = new Set(flags.map((flag) => canonicalFlag(flag).toLowerCase()));
  snapshot.flagNames.forEach((name, bit) => {
    if (wanted.has(name.toLowerCase())) asked[bit < 32 ? 'low' : 'high'] |= 1 << (bit & 31);
  });
  const keep = action === 'set' ? { low: 0, high: 0 } : { low: ~asked.low, high: ~asked.high };
  const put = action === 'remove' ? { low: 0, high: 0 } : asked;
  const found: Uid[] = [];
  while (after.next()) {
    while (before.uid < after.uid && before.next());
    const isExpected =
      before.uid === after.uid &&
      ((before.flagsLow & keep.low) | put.low) >>> 0 === after.flagsLow &&
      ((before.flagsHigh & keep.high) | put.high) >>> 0 === after.flagsHigh;
    if (!isExpected) found.push(after.uid);
  }
  return ascending(found);
}
