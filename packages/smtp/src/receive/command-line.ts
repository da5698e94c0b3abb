/** From the octets of a line to the text of a command, or the reply if it is none. */
import { reply, type Reply } from './reply.ts';

/** RFC 4954 section 4: octets of a line of AUTH, and of what follows it. */
export const MAX_AUTH_LINE = 12_288;
/** RFC 5321 section 4.5.3.1.4 has 512; SIZE, BODY, SMTPUTF8 and DSN add to it, ORCPT alone 500. */
const MAX_LINE = 2048;

export const tooLong = reply(500, '5.5.2', 'Line too long');
export const tooLongAuth = reply(500, '5.5.6', 'Authentication exchange line is too long');
const bareLf = reply(500, '5.5.2', 'Lines end with CRLF (RFC 5321 section 2.3.8)');
const noText = reply(500, '5.5.2', 'A command is printable text in UTF-8');

const control = /[\0-\x1f\x7f]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface LineOptions {
  /** What ended it. */
  readonly end: 'crlf' | 'lf';
  readonly bareLineEnds: 'refuse' | 'normalize';
  /** A line within AUTH. */
  readonly isContinuation: boolean;
}

export function readLine(
  line: Buffer,
  { end, bareLineEnds, isContinuation }: LineOptions,
): string | Reply {
  if (end === 'lf' && bareLineEnds === 'refuse') return bareLf;
  const isAuth = isContinuation || line.toString('latin1', 0, 5).toUpperCase() === 'AUTH ';
  if (line.length > MAX_LINE && !isAuth) return tooLong;
  try {
    const text = utf8.decode(line);
    return control.test(text) ? noText : text;
  } catch {
    return noText;
  }
}

export interface Command {
  /** In capitals. */
  readonly name: string;
  /** White space at the end is tolerated (RFC 5321 section 4.1.1). */
  readonly argument: string;
}

export function parseCommand(line: string): Command {
  const space = line.indexOf(' ');
  if (space < 0) return { name: line.toUpperCase(), argument: '' };
  return { name: line.slice(0, space).toUpperCase(), argument: line.slice(space + 1).trim() };
}

const methods = new Set([
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'TRACE',
  'CONNECT',
  'PATCH',
]);

/** A browser that was tricked into talking to us sends a request first; its body could hold commands. */
export function isHttp({ name, argument }: Command): boolean {
  return argument !== '' && methods.has(name);
}
