/** Mail at rest has CRLF line ends only; this makes it so while the octets pass by. */
import { asBuffer } from './charset.ts';

export interface LineEndNormalizer {
  /** The chunk with every bare LF made CRLF; the very same octets if there was nothing to do. */
  write(chunk: Uint8Array): Uint8Array;
  /** What was held back: a CR at the end. */
  finish(): Uint8Array;
  /** What was met so far. A bare CR is kept: it is data, as in a binary part. */
  readonly saw: { readonly bareLf: boolean; readonly bareCr: boolean; readonly nul: boolean };
}

const LF = 10;
const CR = 13;
const nothing = new Uint8Array(0);

export function createLineEndNormalizer(): LineEndNormalizer {
  const saw = { bareLf: false, bareCr: false, nul: false };
  /** A CR that ended a chunk, and has not been given out: what follows decides whether it was bare. */
  let heldCr = false;

  const write = (chunk: Uint8Array): Uint8Array => {
    if (chunk.length === 0) return chunk;
    const input = heldCr ? Buffer.concat([Buffer.of(CR), chunk]) : asBuffer(chunk);
    heldCr = input[input.length - 1] === CR;
    const end = heldCr ? input.length - 1 : input.length;
    saw.nul ||= input.includes(0);
    saw.bareCr ||= hasBareCr(input, end);
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (let at = input.indexOf(LF); at !== -1; at = input.indexOf(LF, at + 1)) {
      if (at > 0 && input[at - 1] === CR) continue;
      pieces.push(input.subarray(from, at), crlf);
      from = at + 1;
    }
    saw.bareLf ||= pieces.length > 0;
    if (pieces.length === 0) return input.subarray(0, end);
    pieces.push(input.subarray(from, end));
    return Buffer.concat(pieces);
  };

  const finish = (): Uint8Array => {
    if (!heldCr) return nothing;
    heldCr = false;
    saw.bareCr = true;
    return Buffer.of(CR);
  };

  return { write, finish, saw };
}

const crlf = Buffer.from('\r\n');

/** Up to `end`, where the octet at `end` may be a CR that is not judged yet. */
function hasBareCr(octets: Buffer, end: number): boolean {
  for (let at = octets.indexOf(CR); at !== -1 && at < end; at = octets.indexOf(CR, at + 1)) {
    if (octets[at + 1] !== LF) return true;
  }
  return false;
}
