/** LIST, basic and extended (RFC 9051 section 6.3.9). */
import { command, type Parsing } from '../command.ts';
import type { ListSelection, ListShow } from '../extension.ts';
import type { ListEntry } from '../list-entry.ts';
import { entriesOf } from '../list/entries.ts';
import { glob, type Glob } from '../list/glob.ts';
import { listAttributes, writeList } from '../list/response.ts';
import { parentsOf } from '../mailboxes.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

/** Patterns in one command. */
const MOST_PATTERNS = 50;

export const list = command({
  name: 'LIST',
  state: 'authenticated',

  parse(read, parsing) {
    const selections = read.next === '(' ? readSelections(read, parsing) : [];
    if (selections.length > 0 || read.next === ' ') read.sp();
    const reference = read.reference();
    read.sp();
    const multiple = read.next === '(';
    const patterns = multiple ? read.list(() => read.listMailbox()) : [read.listMailbox()];
    if (patterns.length > MOST_PATTERNS) throw new Problem('Too many patterns', 'LIMIT');
    const returns = read.skip(' ') ? readReturns(read, parsing) : [];
    read.end();
    const basic = selections.length === 0 && !multiple && returns.length === 0;
    return { selections, reference, patterns, returns, basic };
  },

  async run(call) {
    const { session, args, respond } = call;
    const { reference, patterns, selections } = args;
    // An empty name asks for the delimiter and the root of the reference (RFC 9051
    // section 6.3.9); it is not special in the extended form.
    if (args.basic && patterns[0] === '') {
      respond.untagged('LIST (\\Noselect) "/" ""');
      return;
    }
    const shows = [...args.returns, ...selections.flatMap((row) => row.shows ?? [])];
    const entries = await entriesOf(session);
    // REMOTE alone selects nothing: it "has no interaction with other options" (RFC 9051 section 6.3.9.1).
    const conditions = selections.flatMap(({ matches }) => matches ?? []);
    const wanted = (entry: ListEntry): boolean =>
      conditions.length === 0
        ? entry.info !== undefined || entry.hasChildren
        : conditions.every((matches) => matches(entry));
    const globs = patterns.map((pattern) => glob(reference + pattern));
    const recursive = selections.some(({ name }) => name === 'RECURSIVEMATCH');
    const above = recursive ? levelsAbove(entries.filter(wanted)) : new Set<string>();
    // "Servers SHOULD only return a non-matching mailbox name along with CHILDINFO if at least one matching child is not
    // also being returned" (RFC 9051 section 6.3.9.6).
    const unshown = recursive
      ? levelsAbove(entries.filter((entry) => wanted(entry) && !fitsAny(globs, entry.name)))
      : above;

    for (const entry of entries) {
      if (!fitsAny(globs, entry.name)) continue;
      const chosen = wanted(entry);
      if (!chosen && !unshown.has(entry.name)) continue;
      const attributes = listAttributes(entry);
      for (const show of shows) {
        for (const attribute of show.attributes?.(entry) ?? []) {
          if (!attributes.includes(attribute)) attributes.push(attribute);
        }
      }
      const extended = above.has(entry.name) ? childInfo(selections) : '';
      writeList(respond, attributes, entry.name, { extended });
      // A level that is told of only for what is below it has no STATUS (RFC 9051 section 6.3.9.8, example 11).
      if (chosen) for (const show of shows) await show.after?.(entry, call);
      if (respond.out.full) await respond.out.flush();
    }
  },
});

function readSelections(read: Reader, { dialect }: Parsing): ListSelection[] {
  const selections = read.list(
    () => {
      const name = read.keyword('a selection option');
      const row = dialect.listSelections.get(name);
      if (!row) throw new Problem(`Unknown selection option ${name.slice(0, 32)}`);
      return row;
    },
    { empty: true },
  );
  const has = (kind: ListSelection['kind']): boolean => selections.some((row) => row.kind === kind);
  if (has('modifier') && !has('base')) {
    throw new Problem('RECURSIVEMATCH needs an option that selects (RFC 9051 section 6.3.9.1)');
  }
  return selections;
}

function readReturns(read: Reader, parsing: Parsing): ListShow[] {
  if (!read.skipWord('RETURN')) throw read.problem('RETURN');
  read.sp();
  const shows = new Map<string, ListShow>();
  read.list(
    () => {
      const name = read.keyword('a return option');
      const row = parsing.dialect.listReturns.get(name);
      if (!row) throw new Problem(`Unknown return option ${name.slice(0, 32)}`);
      // "the server MUST act as if it received the option only once" (RFC 5258 section 3).
      shows.set(name, row.parse(read, parsing));
    },
    { empty: true },
  );
  return [...shows.values()];
}

function fitsAny(globs: readonly Glob[], name: string): boolean {
  return globs.some((fits) => fits(name));
}

/** There CHILDINFO says that something is below, whether it is shown itself or not (RFC 9051 section 6.3.9.1, note 2). */
function levelsAbove(entries: readonly ListEntry[]): Set<string> {
  return new Set(entries.flatMap(({ name }) => parentsOf(name)));
}

/** Options are in quotes here, unlike in the command (RFC 9051 section 9, childinfo-extended-item). */
function childInfo(selections: readonly ListSelection[]): string {
  const bases = new Set(selections.filter(({ kind }) => kind === 'base'));
  const names = [...bases].map(({ name }) => `"${name}"`);
  return ` ("CHILDINFO" (${names.join(' ')}))`;
}
