import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DotDecoder } from './dots.ts';

/** What came out, and what was left behind the end of data; `rest` undefined: no end yet. */
function decode(chunks: readonly Buffer[]): { text: string; rest: string | undefined } {
  const decoder = new DotDecoder();
  const out: Buffer[] = [];
  for (const [index, chunk] of chunks.entries()) {
    const end = decoder.feed(chunk, (octets) => out.push(Buffer.from(octets)));
    if (end >= 0) {
      const rest = Buffer.concat([chunk.subarray(end), ...chunks.slice(index + 1)]);
      return { text: Buffer.concat(out).toString('latin1'), rest: rest.toString('latin1') };
    }
  }
  return { text: Buffer.concat(out).toString('latin1'), rest: undefined };
}

function split(octets: Buffer, at: readonly number[]): Buffer[] {
  const cuts = [
    0,
    ...at.map((cut) => cut % (octets.length + 1)).sort((a, b) => a - b),
    octets.length,
  ];
  return cuts.slice(1).map((cut, index) => octets.subarray(cuts[index], cut));
}

describe('the dots of DATA', () => {
  it.each([
    ['hi\r\n.\r\nQUIT\r\n', 'hi\r\n', 'QUIT\r\n'],
    ['.\r\n', '', ''],
    ['..\r\n.\r\n', '.\r\n', ''],
    ['a\r\n..b\r\n.\r\n', 'a\r\n.b\r\n', ''],
    ['a\r\n.b\r\n.\r\n', 'a\r\nb\r\n', ''],
    ['\r\n.\r\n', '\r\n', ''],
  ])('%j is %j', (sent, text, rest) => {
    expect(decode([Buffer.from(sent)])).toEqual({ text, rest });
  });

  it.each([
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r\n.\r',
    '\r.\r',
    '\r.\r\n',
    '\n.\r',
    '\r\n.\r\r\n',
    '\r\n.\0\r\n',
    '\r\n\0.\r\n',
    '\r\n .\r\n',
    '\r\n. \r\n',
    '\n\n.\n\n',
    '\r\n..\r\n',
  ])('%j is no end of data', (smuggled) => {
    expect(
      decode([Buffer.from(`hi${smuggled}MAIL FROM:<evil@example.org>\r\n`)]).rest,
    ).toBeUndefined();
  });

  it('are the same however the octets are cut into packets', () => {
    const piece = fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\r\n.\r\n', 'a', '..', '\0');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (pieces, cuts) => {
          const octets = Buffer.from(pieces.join(''), 'latin1');
          expect(decode(split(octets, cuts))).toEqual(decode([octets]));
          // Octet by octet, too.
          expect(decode([...octets].map((octet) => Buffer.of(octet)))).toEqual(decode([octets]));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('end only where the definition of RFC 5321 says so', () => {
    const piece = fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\r\n.\r\n', 'a', '..');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join('');
        // The CRLF of the DATA command stands before it.
        const end = `\r\n${text}`.indexOf('\r\n.\r\n');
        const { text: body, rest } = decode([Buffer.from(text, 'latin1')]);
        expect(rest).toBe(end < 0 ? undefined : text.slice(end + 3));
        if (end >= 0)
          expect(body).toBe(
            `\r\n${text}`
              .slice(0, end + 2)
              .replaceAll('\r\n.', '\r\n')
              .slice(2),
          );
      }),
      { numRuns: 2000 },
    );
  });
});
