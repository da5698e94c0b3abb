/**
 * The text of a message as the index keeps it: two strings of octets, folded text in UTF-8 whose fields and parts each end
 * with an octet that UTF-8 does not have, so that no match goes from one into the next.
 *
 *     header   fields of the message:  NAME: VALUE <ff> NAME: VALUE <ff> ...
 *     rest     fields of its parts:    NAME: VALUE <ff> ... <fe>  texts:  TEXT <ff> TEXT <ff> ...
 */
import { foldText, type SearchField, type SearchText } from '@mail-server-kit/mime';

export interface Document {
  readonly header: Buffer;
  readonly rest: Buffer;
  /** UTF-8 cannot say it: `rest` is the whole SearchText as JSON, and `header` is empty. */
  readonly odd: boolean;
}

/** Behind each field and each text. */
export const END = 0xff;
/** Between fields and texts. */
export const TEXTS = 0xfe;

const end = Buffer.of(END);
const texts = Buffer.of(TEXTS);

export function toDocument({ header, partHeaders, body }: SearchText): Document {
  const plain =
    header.every(isPlain) && partHeaders.every(isPlain) && body.every((text) => isWellFormed(text));
  if (!plain) {
    const rest = Buffer.from(JSON.stringify({ header, partHeaders, body }));
    return { header: Buffer.alloc(0), rest, odd: true };
  }
  return {
    header: Buffer.concat(fields(header)),
    rest: Buffer.concat([
      ...fields(partHeaders),
      texts,
      ...body.flatMap((text) => [Buffer.from(text), end]),
    ]),
    odd: false,
  };
}

const fields = (of: readonly SearchField[]): Buffer[] =>
  of.flatMap(({ name, value }) => [Buffer.from(`${foldText(name)}: ${value}`), end]);

/** A name outside ASCII could not be got back from its folding. */
const isPlain = ({ name, value }: SearchField) => isAscii(name) && isWellFormed(value);

export const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text);

/** Surrogates come in pairs. Text of a broken charset may have others, which UTF-8 has no form for. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

export const oddText = (rest: Buffer): SearchText => JSON.parse(rest.toString()) as SearchText;

/**
 * Octets that have whatever a search without half of a surrogate pair finds in the document: whole pairs come out of
 * broken text as they are.
 */
export function signedOctets({ header, rest, odd }: Document): Buffer[] {
  if (!odd) return [header, rest];
  const { header: own, partHeaders, body } = oddText(rest);
  return [...fields([...own, ...partHeaders]), ...body.map((text) => Buffer.from(text))];
}

/** Where the texts begin in `rest`. */
export const textsFrom = (rest: Buffer): number => rest.indexOf(TEXTS) + 1;

/** Whether a field begins at `at` of a header. */
const isFieldStart = (header: Buffer, at: number) => at === 0 || header[at - 1] === END;

/** Whether a field of this name has `wanted` in its value. `label`: the folded name with `: `. */
export function hasField(header: Buffer, label: Buffer, wanted: Buffer): boolean {
  for (let at = header.indexOf(label); at !== -1; at = header.indexOf(label, at + 1)) {
    if (!isFieldStart(header, at)) continue;
    const start = at + label.length;
    const until = header.indexOf(END, start);
    if (wanted.length === 0 || header.subarray(start, until).includes(wanted)) return true;
  }
  return false;
}
