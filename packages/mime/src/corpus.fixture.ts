/** For tests: the messages of ../shared/mail and what Dovecot says of them, and IMAP data as lists. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createLineEndNormalizer } from './line-ends.ts';

/** A parenthesised list, a string with one character per octet, a number, or NIL. */
export type Value = null | number | string | readonly Value[];

export interface Section {
  readonly bytes: number;
  readonly sha256: string;
}

export interface Reference {
  readonly file: string;
  readonly size: number;
  readonly envelope: Value;
  readonly bodystructure: Value;
  readonly message: Section;
  readonly header: Section;
  readonly text: Section;
  readonly parts: readonly (Section & { readonly section: string; readonly mime?: Section })[];
}

const directory = fileURLToPath(new URL('../../../../shared/mail/', import.meta.url));

/** The messages are not part of the repository. */
export const hasCorpus = existsSync(directory);

export const references: readonly Reference[] = !hasCorpus
  ? []
  : readFileSync(`${directory}dovecot.jsonl`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Reference);

export const corpusFiles: readonly string[] = !hasCorpus
  ? []
  : readdirSync(directory).filter((file) => file.endsWith('.eml'));

/** The octets as Dovecot stores them: CRLF, NUL as 0x80, no lone CR at the very end. */
export function storedForm(file: string): Buffer {
  const octets = readFileSync(`${directory}${file}`);
  const normalizer = createLineEndNormalizer();
  const stored = Buffer.concat([
    normalizer.write(octets),
    octets.at(-1) === 13 ? Buffer.alloc(0) : normalizer.finish(),
  ]);
  for (let at = stored.indexOf(0); at !== -1; at = stored.indexOf(0, at)) stored[at] = 0x80;
  return stored;
}

export const describeOctets = (octets: Uint8Array): Section => ({
  bytes: octets.length,
  sha256: createHash('sha256').update(octets).digest('hex'),
});

/** Reads one value; fails on anything that RFC 9051 section 9 does not allow in ENVELOPE or BODYSTRUCTURE. */
export function parseImap(octets: Uint8Array): Value {
  const text = Buffer.from(octets).toString('latin1');
  let at = 0;
  const value = (): Value => {
    const char = text.charAt(at);
    if (char === '(') {
      at++;
      const items: Value[] = [];
      while (text.charAt(at) !== ')') {
        if (items.length > 0 && text.charAt(at) === ' ') at++;
        items.push(value());
      }
      at++;
      return items;
    }
    if (char === '"') {
      let string = '';
      for (at++; text.charAt(at) !== '"'; at++) {
        if (text.charAt(at) === '\\') at++;
        const code = text.charCodeAt(at);
        if (!(code > 0 && code < 127 && code !== 13 && code !== 10))
          throw new Error(`octet ${code} in a string`);
        string += text.charAt(at);
      }
      at++;
      return string;
    }
    if (char === '{') {
      const end = text.indexOf('}\r\n', at);
      const length = Number(text.slice(at + 1, end));
      at = end + 3 + length;
      return text.slice(end + 3, at);
    }
    const atom = /^(?:NIL|\d+)/.exec(text.slice(at, at + 12));
    if (!atom) throw new Error(`unexpected at ${at}: ${text.slice(at, at + 40)}`);
    at += atom[0].length;
    return atom[0] === 'NIL' ? null : Number(atom[0]);
  };
  const parsed = value();
  if (at !== text.length) throw new Error(`more after the end: ${text.slice(at, at + 40)}`);
  return parsed;
}
