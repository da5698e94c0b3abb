/** Content-Transfer-Encoding (RFC 2045 section 6) back to octets, while they pass by. */
import { MailError } from '@mail-server-kit/core';
import { asBuffer } from './charset.ts';

export interface TransferDecoder {
  /** What can be decoded with this chunk; it may share memory with it. */
  write(chunk: Uint8Array): Buffer;
  finish(): Buffer;
}

const nothing = Buffer.alloc(0);

const decoders: Readonly<Record<string, () => TransferDecoder>> = {
  '7bit': identity,
  '8bit': identity,
  binary: identity,
  base64: base64,
  'quoted-printable': quotedPrintable,
};

/** False: IMAP answers BINARY with NO [UNKNOWN-CTE] (RFC 9051 section 6.4.5). `encoding` in any letter case. */
export const canDecode = (encoding: string): boolean =>
  Object.hasOwn(decoders, encoding.toLowerCase());

/** @throws MailError CANNOT for an encoding that `canDecode` does not know */
export function createTransferDecoder(encoding: string): TransferDecoder {
  const name = encoding.toLowerCase();
  const create = Object.hasOwn(decoders, name) ? decoders[name] : undefined;
  if (!create) throw new MailError('CANNOT', 'Unknown Content-Transfer-Encoding');
  return create();
}

/** Broken input gives what can be read of it, as mail clients do. @throws MailError CANNOT, and what `octets` throws */
export async function* decodeTransferEncoding(
  encoding: string,
  octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const decoder = createTransferDecoder(encoding);
  for await (const chunk of octets) {
    const decoded = decoder.write(chunk);
    if (decoded.length > 0) yield decoded;
  }
  const last = decoder.finish();
  if (last.length > 0) yield last;
}

function identity(): TransferDecoder {
  return { write: asBuffer, finish: () => nothing };
}

const IGNORED = 255;
const PADDING = 254;
const sextets = new Uint8Array(256).fill(IGNORED);
for (const [index, char] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries()) {
  sextets[char.charCodeAt(0)] = index;
}
sextets[61] = PADDING;

/**
 * "Any characters outside of the base64 alphabet are to be ignored" (RFC 2045 section 6.8). Padding ends a group of four,
 * not the data: some join encoded pieces.
 */
function base64(): TransferDecoder {
  let bits = 0;
  let count = 0;
  const write = (chunk: Uint8Array): Buffer => {
    const octets = Buffer.allocUnsafe(Math.ceil((chunk.length * 3) / 4) + 3);
    let length = 0;
    for (let at = 0; at < chunk.length; at++) {
      const sextet = sextets[chunk[at] as number] as number;
      if (sextet < 64) {
        bits = (bits << 6) | sextet;
        if (++count < 4) continue;
        octets[length++] = bits >> 16;
        octets[length++] = bits >> 8;
        octets[length++] = bits;
      } else if (sextet === PADDING) length = rest(octets, length);
      else continue;
      bits = count = 0;
    }
    return octets.subarray(0, length);
  };
  const rest = (octets: Buffer, length: number): number => {
    if (count === 2) octets[length++] = bits >> 4;
    else if (count === 3) {
      octets[length++] = bits >> 10;
      octets[length++] = bits >> 2;
    }
    return length;
  };
  const finish = (): Buffer => {
    const octets = Buffer.allocUnsafe(2);
    return octets.subarray(0, rest(octets, 0));
  };
  return { write, finish };
}

/** White space at the end of a line that is longer than this is kept as data; a line may have 76 characters. */
const MAX_HELD = 1000;

/** RFC 2045 section 6.7. */
function quotedPrintable(): TransferDecoder {
  /** What cannot be judged yet: `=`, `=X`, `=\r`, or white space that may turn out to end a line. */
  let held: Buffer = nothing;
  /** Within white space that was found too long to be the end of a line. */
  let isLongRun = false;
  const decode = (chunk: Uint8Array, isLast: boolean): Buffer => {
    const input = held.length > 0 ? Buffer.concat([held, chunk]) : asBuffer(chunk);
    held = nothing;
    const output = Buffer.allocUnsafe(input.length);
    let length = 0;
    let at = 0;
    while (at < input.length) {
      const code = input[at] as number;
      if (code === 61) {
        const step = escape(input, at, isLast);
        if (step === undefined) break;
        if (step.octet !== undefined) output[length++] = step.octet;
        at = step.next;
      } else if (code === 32 || code === 9) {
        let end = at + 1;
        while (input[end] === 32 || input[end] === 9) end++;
        isLongRun ||= end - at >= MAX_HELD;
        const next = input[end] === 13 ? input[end + 1] : input[end];
        if (next === undefined && !isLast && !isLongRun) break;
        // "Trailing white space on a line must be deleted" (rule 3).
        const isTrailing = !isLongRun && (next === undefined || next === 10);
        if (!isTrailing) length += input.copy(output, length, at, end);
        isLongRun &&= end === input.length;
        at = end;
      } else {
        isLongRun = false;
        output[length++] = code;
        at++;
      }
    }
    held = at < input.length ? Buffer.from(input.subarray(at)) : nothing;
    return output.subarray(0, length);
  };
  return { write: (chunk) => decode(chunk, false), finish: () => decode(nothing, true) };
}

/** The step over `=`: a soft line break, an octet, or a `=` that is nothing of these and stays. Undefined: wait for more. */
function escape(
  input: Buffer,
  at: number,
  isLast: boolean,
): { octet?: number; next: number } | undefined {
  let next = at + 1;
  // White space between `=` and the line end has been added on the way.
  while ((input[next] === 32 || input[next] === 9) && next - at < MAX_HELD) next++;
  if (next >= input.length) return isLast ? { next } : undefined;
  if (input[next] === 10) return { next: next + 1 };
  if (input[next] === 13) {
    if (next + 1 >= input.length) return isLast ? { next: next + 1 } : undefined;
    if (input[next + 1] === 10) return { next: next + 2 };
  }
  if (at + 2 >= input.length && !isLast) return undefined;
  const high = hexDigit(input[at + 1]);
  const low = hexDigit(input[at + 2]);
  if (high === -1 || low === -1) return { octet: 61, next: at + 1 };
  return { octet: high * 16 + low, next: at + 3 };
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
