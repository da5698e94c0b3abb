/** STORE and UID STORE (RFC 9051 section 6.4.6), with the modifiers of RFC 4466 section 2.5. */
import { canonicalFlag, hasUid, printUids, subtract, type UidRanges } from '@mail-server-kit/core';
import { command, type Call } from '../command.ts';
import { switchOnFor } from '../enabling.ts';
import { no } from '../outcome.ts';
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
    const bitsBefore = view.flagBits();
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
    let isExpected: ((uid: number) => boolean) | undefined;
    await report({
      spare: (of) => {
        if (hasUid(conflicts, of)) return true;
        if (!hasUid(done, of)) return false;
        return !args.silent || (isExpected ??= expectation(bitsBefore, view, args))(of);
      },
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
  const { out } = respond;
  const rows = view.rows(uids);
  while (rows.next()) {
    out.text('* ').number(view.numberOf(rows)).text(' FETCH (');
    let separator = '';
    if (uid) {
      out.text('UID ').number(rows.uid);
      separator = ' ';
    }
    if (flags) {
      out.text(`${separator}FLAGS `).octets(view.flagsOf(rows, wording));
      separator = ' ';
    }
    for (const write of wording.besideFlags) {
      write(rows, out.text(separator));
      separator = ' ';
    }
    out.text(')\r\n');
    if (out.full) await out.flush();
  }
}

/** Whether a client that knows the flags of before, and what it asked for, knows those of now. */
function expectation(
  before: ReturnType<View['flagBits']>,
  view: View,
  { action, flags }: { action: Action; flags: readonly string[] },
): (uid: number) => boolean {
  const now = view.flagBits();
  const asked: [number, number] = [0, 0];
  const wanted = new Set(flags.map((flag) => canonicalFlag(flag).toLowerCase()));
  view.snapshot.flagNames.forEach((name, bit) => {
    if (wanted.has(name.toLowerCase())) asked[bit < 32 ? 0 : 1] |= 1 << (bit & 31);
  });
  return (uid) => {
    const old = before(uid);
    const is = now(uid);
    if (!old || !is) return false;
    return [0, 1].every((word) => {
      const was = old[word] as number;
      const change = asked[word] as number;
      const expected = action === 'set' ? change : action === 'add' ? was | change : was & ~change;
      return expected >>> 0 === (is[word] as number) >>> 0;
    });
  };
}
