/** BODY[<section>]<<partial>> (RFC 9051 section 6.4.5), and the names that RFC 822 gave to some sections. */
import {
  headerFields,
  rootHeader,
  sectionOf,
  type SectionText,
  type Span,
} from '@mail-server-kit/mime';
import type { FetchMessage, FetchPart } from '../extension.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';
import { nulReplaced, within, writeOctets, type Partial } from './literal.ts';

export interface Section {
  /** Part numbers; none: the whole message. */
  readonly path: readonly number[];
  readonly text: SectionText | undefined;
  /** HEADER.FIELDS or HEADER.FIELDS.NOT. */
  readonly fields: { readonly names: readonly string[]; readonly not: boolean } | undefined;
  /** As it is named in the response, without brackets: what the client asked for. */
  readonly label: string;
}

/** Levels of part numbers in one section. */
const DEEPEST = 200;

/** From `[` to `]`. */
export function readSection(read: Reader): Section {
  read.expect('[');
  if (read.skip(']')) return { path: [], text: undefined, fields: undefined, label: '' };
  const label = read.name('a section');
  const words = label.split('.');
  const path: number[] = [];
  while (words.length > 0 && isPartNumber(words[0] as string)) path.push(Number(words.shift()));
  const text = words.length > 0 ? words.join('.') : undefined;
  if (path.length > DEEPEST) throw new Problem('Section too deep', 'LIMIT');
  const section = { path, label, fields: undefined };
  if (text === 'HEADER.FIELDS' || text === 'HEADER.FIELDS.NOT') {
    read.sp();
    const names = read.list(() => readFieldName(read));
    read.expect(']');
    return {
      path,
      text: 'HEADER',
      fields: { names, not: text.endsWith('.NOT') },
      label: `${label} (${names.map(fieldLabel).join(' ')})`,
    };
  }
  read.expect(']');
  if (text === undefined || text === 'HEADER' || text === 'TEXT') return { ...section, text };
  if (text === 'MIME' && path.length > 0) return { ...section, text };
  throw new Problem(`Unknown section ${label.slice(0, 32)}`);
}

export function readPartial(read: Reader): Partial | undefined {
  if (!read.skip('<')) return undefined;
  const origin = read.number64('the origin of a part');
  read.expect('.');
  // nz-number64
  if (read.next === '0') throw read.problem('the length of a part');
  const count = read.number64('the length of a part');
  read.expect('>');
  return { origin, count };
}

/** The item `name`, e.g. `BODY[1.MIME]<0.100>`. */
export function sectionPart(
  section: Section,
  partial: Partial | undefined,
  setsSeen: boolean,
): FetchPart {
  const name = `BODY[${section.label}]${partial ? `<${partial.origin}>` : ''}`;
  return named(name, section, partial, setsSeen);
}

export function named(
  name: string,
  section: Section,
  partial: Partial | undefined,
  setsSeen: boolean,
): FetchPart {
  const whole = section.path.length === 0 && section.text === undefined;
  return {
    setsSeen,
    // The size is in the columns: a whole message needs no structure.
    ...(!whole && { parts: ['structure'] as const }),
    async write(message) {
      const { out } = message.respond;
      out.text(name).text(' ');
      if (whole) {
        const size = message.rows.block.size[message.rows.row] as number;
        return writeOctets(message, ...within(0, size, partial));
      }
      const span = spanOf(message, section);
      if (!span) return void out.text('NIL');
      if (section.fields)
        return writeFields(message, span.start, span.end, section.fields, partial);
      return writeOctets(message, ...within(span.start, span.end, partial));
    },
  };
}

/** Sections of the message itself need no tree: mailboxes of any size are listed by fields of its header. */
function spanOf(message: FetchMessage, { path, text }: Section): Span | undefined {
  if (path.length > 0) return sectionOf(message.structure, path, text);
  const header = rootHeader(message.facts.structure as Uint8Array);
  if (text === 'HEADER') return header;
  return { start: header.end, end: message.rows.block.size[message.rows.row] as number };
}

/** Octets of a header that are looked through for fields: what is longer is an attack on our memory. */
const LONGEST_HEADER = 1024 * 1024;

async function writeFields(
  message: FetchMessage,
  start: number,
  end: number,
  { names, not }: NonNullable<Section['fields']>,
  partial: Partial | undefined,
): Promise<void> {
  const octets = await message.octets(start, Math.min(end, start + LONGEST_HEADER));
  const fields = headerFields(octets, names, not);
  const [from, to] = within(0, fields.length, partial);
  if (from >= to) message.respond.out.text('""');
  else message.respond.out.literal(nulReplaced(fields.subarray(from, to)));
}

function isPartNumber(word: string): boolean {
  return /^[1-9][0-9]{0,8}$/.test(word);
}

function readFieldName(read: Reader): string {
  const name = read.astring('a header field');
  // Nothing else fits into the quoted string that repeats it, and no field is named so (RFC 5322 section 2.2).
  if (!/^[ -~]*$/.test(name)) throw new Problem('A header field has a name of printable US-ASCII');
  return name;
}

/** Clients compare it with what they sent. */
function fieldLabel(name: string): string {
  if (/^[!#$&'+,./0-9:;<=>?@A-Z^_`a-z|~-]+$/.test(name)) return name;
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}
