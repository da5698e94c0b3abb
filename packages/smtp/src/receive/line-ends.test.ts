import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineEnds } from './line-ends.ts';

function pass(policy: 'refuse' | 'normalize', chunks: readonly Buffer[]): string {
  const lineEnds = createLineEnds(policy);
  try {
    const out = chunks.map((chunk) => Buffer.from(lineEnds.pass(chunk)));
    const end = lineEnds.end();
    return Buffer.concat(end === undefined ? out : [...out, end]).toString('latin1');
  } catch (error) {
    return (error as Error).message.slice(0, 3);
  }
}

describe('line ends', () => {
  it.each([
    ['a\r\nb\r\n', 'a\r\nb\r\n', 'a\r\nb\r\n'],
    ['', '', ''],
    ['a\nb\r\n', 'Bar', 'a\r\nb\r\n'],
    ['a\rb\r\n', 'Bar', 'a\r\nb\r\n'],
    ['a\r\n\r', 'Bar', 'a\r\n\r\n'],
    ['a\n\rb', 'Bar', 'a\r\n\r\nb\r\n'],
    ['no end', 'no end\r\n', 'no end\r\n'],
    ['\n.\r\n', 'Bar', '\r\n.\r\n'],
    ['N\0L\r\n', 'NUL', 'NUL'],
  ])('%j: refuse %j, normalize %j', (sent, refused, normalized) => {
    const octets = Buffer.from(sent, 'latin1');
    expect(pass('refuse', [octets])).toBe(refused);
    expect(pass('normalize', [octets])).toBe(normalized);
    expect(
      pass(
        'refuse',
        [...octets].map((octet) => Buffer.of(octet)),
      ),
    ).toBe(refused);
    expect(
      pass(
        'normalize',
        [...octets].map((octet) => Buffer.of(octet)),
      ),
    ).toBe(normalized);
  });

  it('are the same however the octets are cut, and normalized there is no bare one', () => {
    const piece = fc.constantFrom('\r', '\n', '\r\n', 'a', 'bcd');
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 5 }), { maxLength: 8 }), (parts) => {
        const chunks = parts.map((part) => Buffer.from(part.join(''), 'latin1'));
        const whole = Buffer.concat(chunks);
        const text = whole.toString('latin1');
        const wanted = text.replaceAll(/\r\n|\r|\n/g, '\r\n');
        const ended = wanted === '' || wanted.endsWith('\r\n') ? wanted : `${wanted}\r\n`;
        expect(pass('normalize', chunks)).toBe(ended);
        const clean = !/[\r\n]/.test(text.replaceAll('\r\n', ''));
        expect(pass('refuse', chunks)).toBe(clean ? ended : 'Bar');
      }),
      { numRuns: 3000 },
    );
  });
});
