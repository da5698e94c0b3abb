/**
 * Header blocks: fields, unfolding (RFC 5322 section 2.2), and the subsets that HEADER.FIELDS asks for. Header text has
 * one character per octet here, so that nothing is lost whatever the charset was.
 */
import { isSpace } from './tokens.ts';

export interface Field {
  /** As written, without white space before the colon. */
  readonly name: string;
  /** Folded as it is, without the last line end. */
  readonly value: string;
  /** Octets of the whole field within the header, last line end included. */
  readonly start: number;
  readonly end: number;
}

/**
 * The fields of a header block, in order, up to the blank line. Lines without a colon, such as the `From ` of a mbox,
 * are passed over; so are continuation lines that continue nothing.
 */
export function* fieldsOf(header: string): Generator<Field, void> {
  for (let start = 0; start < header.length;) {
    const end = fieldEnd(header, start);
    const code = header.charCodeAt(start);
    if (code === 10 || (code === 13 && header.charCodeAt(start + 1) === 10)) return;
    let colon = isSpace(code) ? end : start;
    while (colon < end && header.charCodeAt(colon) !== 58) {
      // A colon on a continuation line ends no name.
      colon = header.charCodeAt(colon) === 10 ? end : colon + 1;
    }
    const name = header.slice(start, trimEnd(header, start, colon));
    if (colon < end && name !== '') {
      const value = header.slice(colon + 1, lineTextEnd(header, colon + 1, end));
      yield { name, value, start, end };
    }
    start = end;
  }
}

/** Behind the last line of the field that starts at `start`. */
function fieldEnd(header: string, start: number): number {
  for (let at = start; ;) {
    const lineEnd = header.indexOf('\n', at);
    if (lineEnd === -1) return header.length;
    at = lineEnd + 1;
    const code = header.charCodeAt(at);
    if (code !== 32 && code !== 9) return at;
  }
}

function trimEnd(text: string, start: number, end: number): number {
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return end;
}

/** `end` without one line end. */
function lineTextEnd(text: string, start: number, end: number): number {
  if (end > start && text.charCodeAt(end - 1) === 10) end--;
  if (end > start && text.charCodeAt(end - 1) === 13) end--;
  return end;
}

/** Takes out the line ends of folding; leading white space goes too. White space inside and at the end stays. */
export function unfold(value: string): string {
  let start = 0;
  while (start < value.length && isSpace(value.charCodeAt(start))) start++;
  const text = start === 0 ? value : value.slice(start);
  if (!text.includes('\n') && !text.includes('\r')) return text;
  return text.replaceAll('\r', '').replaceAll('\n', '');
}

/** Unfolds, and makes any white space one space, at the ends none. */
export function collapse(value: string): string {
  let text = '';
  let gap = false;
  let from = -1;
  for (let at = 0; at < value.length; at++) {
    if (isSpace(value.charCodeAt(at))) {
      if (from !== -1) {
        text += (gap ? ' ' : '') + value.slice(from, at);
        gap = true;
        from = -1;
      }
    } else if (from === -1) from = at;
  }
  return from === -1 ? text : text + (gap ? ' ' : '') + value.slice(from);
}

/**
 * BODY[HEADER.FIELDS (names)] or, with `not`, BODY[HEADER.FIELDS.NOT (names)]: the chosen fields octet for octet, and the
 * blank line if `header`, the whole of it, has one (RFC 9051 section 6.4.5.1).
 */
export function headerFields(
  header: Uint8Array,
  names: readonly string[],
  not: boolean,
): Uint8Array {
  const octets = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const chosen: Uint8Array[] = [];
  for (const { name, start, end } of fieldsOf(octets.toString('latin1'))) {
    if (wanted.has(name.toLowerCase()) !== not) chosen.push(octets.subarray(start, end));
  }
  // "The blank line is included in all header fetches, except in the case of a message that has no body and no blank line."
  const end = octets.toString('latin1', Math.max(0, octets.length - 3));
  if (/(?:^|\n)\r?\n$/.test(end)) chosen.push(Buffer.from('\r\n'));
  return Buffer.concat(chosen);
}
