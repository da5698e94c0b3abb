/** Octets of a message as a literal, handed on as they come from the store. */
import type { FetchMessage } from '../extension.ts';
import { Fatal } from '../wire/problem.ts';
import type { Writer } from '../wire/writer.ts';

/** `<origin.count>` of a FETCH item (RFC 9051 section 6.4.5, `partial`). */
export interface Partial {
  readonly origin: number;
  readonly count: number;
}

/** The part of `start` to `end` that is asked for; beyond the end it is empty, not an error. */
export function within(
  start: number,
  end: number,
  partial: Partial | undefined,
): readonly [start: number, end: number] {
  if (!partial) return [start, end];
  const from = Math.min(start + partial.origin, end);
  return [from, Math.min(from + partial.count, end)];
}

export async function writeOctets(
  message: FetchMessage,
  start: number,
  end: number,
): Promise<void> {
  const { out } = message.respond;
  if (start >= end) {
    out.text('""');
    return;
  }
  out
    .text('{')
    .number(end - start)
    .text('}\r\n');
  await pour(message.stream(start, end), end - start, out, nulReplaced);
}

/** NUL may stand in a literal8 only, which BODY is not (RFC 9051 section 9, rule 3): 0x80 takes its place, so the size holds. */
export function nulReplaced(octets: Uint8Array): Uint8Array {
  return octets.includes(0) ? octets.map((octet) => octet || 0x80) : octets;
}

const PIECE = 64 * 1024;

/** Exactly `size` octets: the client counts on what was announced. */
export async function pour(
  octets: AsyncIterable<Uint8Array>,
  size: number,
  out: Writer,
  clean: (part: Uint8Array) => Uint8Array = (part) => part,
): Promise<void> {
  let left = size;
  for await (const piece of octets) {
    const part = clean(piece);
    left -= part.length;
    if (left < 0) break;
    // However large the pieces of the store are, no more than this waits for a slow reader.
    for (let at = 0; at < part.length; at += PIECE) {
      out.octets(part.subarray(at, at + PIECE));
      if (out.full) await out.flush();
    }
  }
  if (left !== 0) throw new Fatal('A message is not as long as it should be', 'SERVERBUG');
}
