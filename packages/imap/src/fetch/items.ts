/** What FETCH can show (RFC 9051 section 6.4.5; RFC822, RFC822.HEADER and RFC822.TEXT: RFC 3501 section 6.4.5). */
import { renderBodyStructure } from '@mail-server-kit/mime';
import { FLAGS, uidColumn, type NumberColumn } from '../columns.ts';
import type { FetchItem, FetchPart } from '../extension.ts';
import { printDateTime } from '../wire/date.ts';
import { named, readPartial, readSection, sectionPart, type Section } from './section.ts';

const flagsName = Buffer.from('FLAGS ');
const envelopeName = Buffer.from('ENVELOPE ');

/** Shows a number that is in the columns. */
export function numberPart(column: NumberColumn): FetchPart {
  const before = Buffer.from(column.before);
  const after = Buffer.from(column.after ?? '');
  return {
    column,
    write({ respond: { out }, rows }) {
      out.octets(before).number(column.of(rows.block)[rows.row] as number);
      if (after.length > 0) out.octets(after);
    },
  };
}

export const uidPart = numberPart(uidColumn);

export const flagsPart: FetchPart = {
  column: FLAGS,
  write({ respond, rows, view, session }) {
    respond.out.octets(flagsName).octets(view.flagsOf(rows, session.wording));
  },
};

const sizePart = numberPart({ before: 'RFC822.SIZE ', of: ({ size }) => size });

const datePart: FetchPart = {
  write({ respond, rows: { block, row } }) {
    const time = block.internalDate[row] as number;
    const zone = block.internalZone[row] as number;
    respond.out.text('INTERNALDATE ').text(printDateTime({ time, zone }));
  },
};

const envelopePart: FetchPart = {
  parts: ['envelope'],
  write({ respond, facts }) {
    respond.out.octets(envelopeName).octets(facts.envelope as Uint8Array);
  },
};

/** Rendered once for as long as the store keeps the facts at hand: it hands out the same octets then. */
function structurePart(name: string, extended: boolean): FetchPart {
  const label = Buffer.from(`${name} `);
  const rendered = new WeakMap<Uint8Array, Uint8Array>();
  return {
    parts: ['structure'],
    write(message) {
      const stored = message.facts.structure as Uint8Array;
      let octets = rendered.get(stored);
      if (!octets) {
        octets = renderBodyStructure(message.structure, extended);
        rendered.set(stored, octets);
      }
      message.respond.out.octets(label).octets(octets);
    },
  };
}

const body = structurePart('BODY', false);
const whole: Section = { path: [], text: undefined, fields: undefined, label: '' };
const header: Section = { ...whole, text: 'HEADER' };
const text: Section = { ...whole, text: 'TEXT' };

function fixed(name: string, part: FetchPart): FetchItem {
  return { name, parse: () => part };
}

export const fetchItems: readonly FetchItem[] = [
  fixed('UID', uidPart),
  fixed('FLAGS', flagsPart),
  fixed('INTERNALDATE', datePart),
  fixed('RFC822.SIZE', sizePart),
  fixed('ENVELOPE', envelopePart),
  fixed('BODYSTRUCTURE', structurePart('BODYSTRUCTURE', true)),
  {
    name: 'BODY',
    parse: (read) =>
      read.next === '[' ? sectionPart(readSection(read), readPartial(read), true) : body,
  },
  {
    name: 'BODY.PEEK',
    parse: (read) => sectionPart(readSection(read), readPartial(read), false),
  },
  fixed('RFC822', named('RFC822', whole, undefined, true)),
  fixed('RFC822.HEADER', named('RFC822.HEADER', header, undefined, false)),
  fixed('RFC822.TEXT', named('RFC822.TEXT', text, undefined, true)),
];

/** Names for several items, alone and not in a list (RFC 9051 section 6.4.5). */
export const macros: ReadonlyMap<string, readonly FetchPart[]> = new Map([
  ['FAST', [flagsPart, datePart, sizePart]],
  ['ALL', [flagsPart, datePart, sizePart, envelopePart]],
  ['FULL', [flagsPart, datePart, sizePart, envelopePart, body]],
]);
