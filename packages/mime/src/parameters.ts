/**
 * Parameters of Content-Type and Content-Disposition: RFC 2045 section 5.1, and the continuations, charsets and
 * languages of RFC 2231.
 */
import { decodeCharset } from './charset.ts';
import { decodeEncodedWords } from './encoded-words.ts';
import { Tokens } from './tokens.ts';

/** Name and value as sent, one character per octet. Of RFC 2231 the name keeps its `*` and the value its charset and %XX. */
export type Parameter = readonly [name: string, value: string];

/** What is left of a long list is of no use to anybody but an attacker. */
const DEFAULT_LIMIT = 100;

interface Section {
  readonly name: string;
  readonly index: number;
  readonly extended: boolean;
  readonly value: string;
}

/**
 * `*(";" parameter)`. A parameter that cannot be read is passed over up to the next semicolon. Continuations
 * (`name*0`, `name*1`) are joined into one; those of RFC 2231 come behind the others, sorted by name.
 */
export function parseParameters(tokens: Tokens, limit = DEFAULT_LIMIT): readonly Parameter[] {
  const plain: Parameter[] = [];
  const sections: Section[] = [];
  tokens.skip();
  while (!tokens.done && plain.length + sections.length < limit) {
    // Some leave out the first semicolon: `multipart/mixed boundary=x`.
    const hasSemicolon = tokens.take(';') || plain.length + sections.length === 0;
    const parameter = hasSemicolon ? parseParameter(tokens) : undefined;
    if (!parameter) {
      tokens.seek(';');
      continue;
    }
    const section = sectionOf(parameter);
    if (section) sections.push(section);
    else plain.push(parameter);
  }
  return sections.length === 0 ? plain : [...plain, ...join(sections)];
}

function parseParameter(tokens: Tokens): Parameter | undefined {
  const name = tokens.token();
  if (name === undefined || !tokens.take('=')) return undefined;
  if (tokens.isAt('"')) {
    const value = tokens.quoted();
    return value === undefined ? undefined : [name, value];
  }
  return [name, tokens.unquoted() ?? ''];
}

/** `name*`, `name*1` or `name*1*`. */
function sectionOf([attribute, value]: Parameter): Section | undefined {
  const star = attribute.indexOf('*');
  if (star <= 0) return undefined;
  const name = attribute.slice(0, star);
  let rest = attribute.slice(star + 1);
  if (rest === '') return { name, index: -1, extended: true, value };
  const extended = rest.endsWith('*');
  if (extended) rest = rest.slice(0, -1);
  if (!/^\d{1,6}$/.test(rest)) return undefined;
  return { name, index: Number(rest), extended, value };
}

function join(sections: Section[]): Parameter[] {
  sections.sort((a, b) => {
    const x = a.name.toLowerCase();
    const y = b.name.toLowerCase();
    return x < y ? -1 : x > y ? 1 : a.index - b.index;
  });
  const joined: Parameter[] = [];
  for (let at = 0; at < sections.length;) {
    const first = sections[at++] as Section;
    const run = [first];
    for (; first.index === 0 && at < sections.length; at++) {
      const next = sections[at] as Section;
      if (next.name.toLowerCase() !== first.name.toLowerCase() || next.index !== run.length) break;
      run.push(next);
    }
    const extended = run.some((section) => section.extended);
    const values = run.map(({ value, extended: own }) =>
      extended && !own ? escapeValue(value) : value,
    );
    joined.push([extended ? `${first.name}*` : first.name, values.join('')]);
  }
  return joined;
}

/** A section without percent signs, made part of a value that has them. */
function escapeValue(value: string): string {
  let text = '';
  for (const char of value) {
    const code = char.charCodeAt(0);
    const isPlain = code >= 32 && code < 127 && char !== '%';
    text += isPlain ? char : `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/**
 * The decoded value of a parameter. The form of RFC 2231 wins over a plain one (section 4.1 of RFC 6266 says so for the
 * same syntax); a plain one may hold octets of UTF-8, or encoded-words as some clients write them against RFC 2047
 * section 5.
 */
export function parameterValue(parameters: readonly Parameter[], name: string): string | undefined {
  const key = name.toLowerCase();
  let plain: string | undefined;
  for (const [attribute, value] of parameters) {
    const found = attribute.toLowerCase();
    if (found === `${key}*`) return decodeExtended(value);
    if (found === key) plain ??= value;
  }
  return plain === undefined ? undefined : decodeEncodedWords(plain);
}

/** `charset'language'%XX...` */
function decodeExtended(value: string): string {
  const first = value.indexOf("'");
  const second = first === -1 ? -1 : value.indexOf("'", first + 1);
  if (second === -1) return decodeCharset(Buffer.from(percentDecode(value), 'latin1'), 'utf-8');
  const octets = Buffer.from(percentDecode(value.slice(second + 1)), 'latin1');
  return decodeCharset(octets, value.slice(0, first) || 'us-ascii');
}

function percentDecode(value: string): string {
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
}
