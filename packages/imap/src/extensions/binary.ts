/** BINARY: parts with their transfer encoding undone (RFC 9051 section 6.4.5; APPEND with literal8: RFC 3516 section 4.4). */
import { canDecode, decodeTransferEncoding, partOf } from '@mail-server-kit/mime';
import type { Extension, FetchMessage, FetchPart } from '../extension.ts';
import { pour, within, type Partial } from '../fetch/literal.ts';
import { readPartial, readSection } from '../fetch/section.ts';
import { no } from '../outcome.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

interface BinarySection {
  readonly path: readonly number[];
  readonly label: string;
}

export const binary: Extension = {
  capabilities: ['BINARY'],
  fetchItems: [
    { name: 'BINARY', parse: (read) => contents(readPath(read), readPartial(read), true) },
    { name: 'BINARY.PEEK', parse: (read) => contents(readPath(read), readPartial(read), false) },
    { name: 'BINARY.SIZE', parse: (read) => size(readPath(read)) },
  ],
};

/** `section-binary`: part numbers only. */
function readPath(read: Reader): BinarySection {
  const { path, text, label } = readSection(read);
  if (text !== undefined) throw new Problem('BINARY takes part numbers only');
  return { path, label };
}

function contents(
  section: BinarySection,
  partial: Partial | undefined,
  setsSeen: boolean,
): FetchPart {
  const name = `BINARY[${section.label}]${partial ? `<${partial.origin}>` : ''} `;
  return {
    parts: ['structure'],
    setsSeen,
    async write(message) {
      const { out } = message.respond;
      if (!decoded(message, section)) return void out.text(name).text('NIL');
      // Twice over the part, so that none is too large for memory: the size stands before the octets.
      const [from, to] = within(0, (await measure(message, section)).size, partial);
      const { nul } = await measure(message, section, from, to);
      out.text(name);
      if (from >= to) return void out.text('""');
      out
        .text(nul ? '~{' : '{')
        .number(to - from)
        .text('}\r\n');
      await pour(cut(decoded(message, section) ?? [], from, to), to - from, out);
    },
  };
}

function size(section: BinarySection): FetchPart {
  return {
    parts: ['structure'],
    async write(message) {
      const { out } = message.respond;
      const { size: octets } = await measure(message, section);
      out.text(`BINARY.SIZE[${section.label}] `).number(octets);
    },
  };
}

/** The octets of the part; undefined if there is none. @throws Refusal NO [UNKNOWN-CTE] */
function decoded(
  message: FetchMessage,
  { path }: BinarySection,
): AsyncIterable<Uint8Array> | undefined {
  const part = partOf(message.structure, path);
  if (!part) return undefined;
  // The whole message, and what holds other parts, are not encoded.
  if (path.length === 0) return message.stream(part.header.start, part.body.end);
  const octets = message.stream(part.body.start, part.body.end);
  const encoding = part.encoding ?? '7bit';
  if (part.children || part.message) return octets;
  if (!canDecode(encoding)) {
    throw no('UNKNOWN-CTE', 'The transfer encoding of the part is not known');
  }
  return decodeTransferEncoding(encoding, octets);
}

/** How long it is, and whether there is a NUL between `from` and `to`, which only a literal8 may hold. */
async function measure(
  message: FetchMessage,
  section: BinarySection,
  from = 0,
  to = Infinity,
): Promise<{ size: number; nul: boolean }> {
  let size = 0;
  let nul = false;
  for await (const part of cut(decoded(message, section) ?? [], from, to)) {
    size += part.length;
    nul ||= part.includes(0);
  }
  return { size, nul };
}

async function* cut(
  octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  from: number,
  to: number,
): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for await (const part of octets) {
    const start = Math.max(0, from - at);
    const end = Math.min(part.length, to - at);
    if (start < end) yield part.subarray(start, end);
    at += part.length;
    if (at >= to) return;
  }
}
