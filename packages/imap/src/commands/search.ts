/** SEARCH and UID SEARCH (RFC 9051 section 6.4.4), with the result variable `$` (section 6.4.4.1). */
import { unite, type UidRanges } from '@mail-server-kit/core';
import { command, type Call } from '../command.ts';
import { switchOnFor } from '../enabling.ts';
import type { SearchReturn } from '../extension.ts';
import { badCharset } from '../search/charset.ts';
import { evaluate } from '../search/evaluate.ts';
import { readProgram, type SearchProgram } from '../search/parse.ts';
import { Problem } from '../wire/problem.ts';

interface Args {
  /** Undefined: no RETURN was given. */
  readonly returns: readonly SearchReturn[] | undefined;
  readonly program: SearchProgram;
}

export const search = command({
  name: 'SEARCH',
  state: 'selected',
  uid: true,
  holdsNumbers: true,

  parse(read, { dialect, limits }): Args {
    let returns: SearchReturn[] | undefined;
    if (read.skipWord('RETURN')) {
      read.sp();
      const rows = read.list(
        () => {
          const name = read.keyword('a return option');
          const row = dialect.searchReturns.get(name);
          if (!row) throw new Problem(`Unknown return option ${name.slice(0, 32)}`);
          return row;
        },
        { empty: true },
      );
      // "any return item name SHOULD appear only once in an ESEARCH response" (RFC 9051 section 7.3.4).
      returns = [...new Set(rows)];
      read.sp();
    }
    return { returns, program: readProgram(read, { dialect, limits }) };
  },

  async run(call) {
    const { session, args } = call;
    const { store, view } = session;
    const { returns, program } = args;
    switchOnFor(call, program.extras);
    const saving = returns?.some(({ name }) => name === 'SAVE') ?? false;
    let found: UidRanges;
    try {
      if (!program.knownCharset) throw badCharset();
      const uidsOf = view.uidsOf.bind(view);
      found = await evaluate(program.node, view.present, { store, view, uidsOf });
    } catch (error) {
      // A NO empties the result variable (RFC 9051 section 6.4.4.1).
      if (saving) view.saved = [];
      throw error;
    }
    if (saving) view.saved = saved(returns ?? [], found);
    await answer(call, found);
  },
});

/** Only MIN and MAX save what they name; with anything else all that was found is saved. */
function saved(returns: readonly SearchReturn[], found: UidRanges): UidRanges {
  const shown = returns.filter(({ name }) => name !== 'SAVE');
  if (shown.length === 0 || shown.some(({ saves }) => !saves)) return found;
  return shown.reduce<UidRanges>((set, { saves }) => unite(set, saves?.(found) ?? []), []);
}

async function answer(
  { session, args, respond, uid, tag }: Call<'selected', Args>,
  found: UidRanges,
): Promise<void> {
  const { view, enabled } = session;
  const { returns, program } = args;
  const numbers = uid ? found : view.numbersOf(found);
  const { out } = respond;
  const extras = found.length === 0 ? [] : program.extras;

  // ESEARCH takes the place of SEARCH once IMAP4rev2 is enabled (RFC 9051 section 7.3.4).
  if (!returns && !enabled.has('IMAP4REV2')) {
    out.text('* SEARCH');
    for (const [first, last] of numbers) {
      for (let number = first as number; number <= last; number++) {
        out.text(' ').number(number);
        if (out.full) await out.flush();
      }
    }
    for (const extra of extras) out.text(` (${extra.name} ${extra.value(found, view)})`);
    out.text('\r\n');
    return;
  }
  const rows = returns ?? [];
  const shown =
    rows.length > 0
      ? rows
      : [...session.wiring.dialect.searchReturns.values()].filter(({ name }) => name === 'ALL');
  // RETURN (SAVE) alone answers with the tagged OK only (RFC 9051 section 6.4.4.1).
  if (shown.every(({ name }) => name === 'SAVE')) return;
  out.text('* ESEARCH (TAG ').string(tag).text(')');
  if (uid) out.text(' UID');
  for (const { name, value } of shown) {
    const write = value?.(numbers, respond);
    if (!write) continue;
    out.text(` ${name} `);
    write();
  }
  // Of what is returned, if that is MIN and MAX only (RFC 7162 section 3.1.10).
  const told = saved(rows, found);
  for (const extra of extras) out.text(` ${extra.name} ${extra.value(told, view)}`);
  out.text('\r\n');
}
