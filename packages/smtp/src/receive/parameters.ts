/** The arguments of MAIL and RCPT: a path, then ESMTP parameters (RFC 5321 section 4.1.2). */

export interface PathCommand {
  /** With its angle brackets. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
}

export interface Parameter {
  /** In capitals. */
  readonly keyword: string;
  readonly value: string | undefined;
}

const MAX_PARAMETERS = 20;
const keyword = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
// RFC 6531 section 3.3 adds UTF-8. "=" inside of a value is against the grammar, but NOTIFY values of old clients and
// base64 have it, and it is not ambiguous.
const value = /^[!-~\u00a0-\u{10ffff}]+$/u;

/** `prefix`: FROM or TO. Undefined: a syntax error. */
export function parsePathCommand(prefix: 'FROM' | 'TO', argument: string): PathCommand | undefined {
  const colon = prefix.length;
  if (argument[colon] !== ':' || argument.slice(0, colon).toUpperCase() !== prefix)
    return undefined;
  // A space after the colon is wrong, and everywhere.
  const rest = argument.slice(colon + 1).trimStart();
  const end = endOfPath(rest);
  if (end < 0 || (end < rest.length && rest[end] !== ' ')) return undefined;

  const parameters: Parameter[] = [];
  for (const part of rest.slice(end).split(' ')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const given = equals < 0 ? undefined : part.slice(equals + 1);
    if (!keyword.test(name) || (given !== undefined && !value.test(given))) return undefined;
    parameters.push({ keyword: name.toUpperCase(), value: given });
    if (parameters.length > MAX_PARAMETERS) return undefined;
  }
  return { path: rest.slice(0, end), parameters };
}

/** Behind the closing angle bracket; a quoted local part may hold one itself. -1: there is none. */
function endOfPath(text: string): number {
  if (text[0] !== '<') return -1;
  let quoted = false;
  for (let at = 1; at < text.length; at++) {
    const char = text[at];
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (char === '>' && !quoted) return at + 1;
  }
  return -1;
}

/** xtext (RFC 3461 section 4). Undefined: it is none, or says control characters, which nothing after us should meet. */
export function decodeXtext(text: string): string | undefined {
  const octets: number[] = [];
  const source = Buffer.from(text);
  for (let at = 0; at < source.length; at++) {
    const octet = source[at] as number;
    if (octet === 0x3d) return undefined;
    if (octet !== 0x2b) {
      octets.push(octet);
      continue;
    }
    const hex = source.toString('latin1', at + 1, at + 3);
    if (!/^[0-9A-F]{2}$/.test(hex)) return undefined;
    octets.push(parseInt(hex, 16));
    at += 2;
  }
  try {
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Uint8Array.from(octets),
    );
    return /[\0-\x1f\x7f-\x9f]/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}
