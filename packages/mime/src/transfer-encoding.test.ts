import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineEndNormalizer } from './line-ends.ts';
import { canDecode, createTransferDecoder, decodeTransferEncoding } from './transfer-encoding.ts';

function decode(encoding: string, ...chunks: Uint8Array[]): string {
  const decoder = createTransferDecoder(encoding);
  const parts = chunks.map((chunk) => Buffer.from(decoder.write(chunk)));
  return Buffer.concat([...parts, decoder.finish()]).toString('latin1');
}

const split = (octets: Buffer, cuts: readonly number[]) => {
  const at = [0, ...[...cuts].sort((a, b) => a - b), octets.length];
  return at.slice(1).map((end, i) => octets.subarray(at[i], end));
};

describe('base64', () => {
  it.each([
    ['aGVsbG8=', 'hello'],
    ['aGVs\r\nbG8=\r\n', 'hello'],
    ['aGVsbG8', 'hello'],
    ['a*G!V-s bG8=', 'hello'],
    ['aGk=aGk=', 'hihi'],
    ['a', ''],
    ['=', ''],
    ['', ''],
  ])('%j is %j', (encoded, text) => expect(decode('BASE64', Buffer.from(encoded))).toBe(text));

  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        expect(decode('base64', Buffer.from(Buffer.from(octets).toString('base64')))).toBe(
          Buffer.from(octets).toString('latin1'),
        );
      }),
    );
  });
});

describe('quoted-printable', () => {
  it.each([
    ['caf=C3=A9', 'caf\xc3\xa9'],
    ['soft=\r\nbreak', 'softbreak'],
    ['soft= \t\r\nbreak', 'softbreak'],
    ['lower=c3', 'lower\xc3'],
    ['trailing \t\r\nspace ', 'trailing\r\nspace'],
    ['in  side', 'in  side'],
    ['broken =ZZ =', 'broken =ZZ '],
    ['=\n', ''],
    ['a=\rb', 'a=\rb'],
  ])('%j is %j', (encoded, text) =>
    expect(decode('quoted-printable', Buffer.from(encoded))).toBe(text),
  );
});

it('decoding gives the same in any split', () => {
  const text = fc
    .array(
      fc.constantFrom(
        '=',
        '=C',
        '3',
        'A',
        ' ',
        '\t',
        '\r',
        '\n',
        '\r\n',
        'xyz',
        ' '.repeat(600),
        '==',
      ),
      { maxLength: 30 },
    )
    .map((parts) => Buffer.from(parts.join('')));
  fc.assert(
    fc.property(
      text,
      fc.array(fc.nat(200), { maxLength: 8 }),
      fc.constantFrom('base64', 'quoted-printable'),
      (octets, cuts, encoding) => {
        const inside = cuts.filter((cut) => cut <= octets.length);
        expect(decode(encoding, ...split(octets, inside))).toBe(decode(encoding, octets));
      },
    ),
    { numRuns: 2000 },
  );
});

describe('decodeTransferEncoding', () => {
  it('streams, and knows what it cannot decode', async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of decodeTransferEncoding('8bit', [Buffer.from('a'), Buffer.from('b')]))
      chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('ab');
    expect(canDecode('Quoted-Printable')).toBe(true);
    expect(canDecode('x-uuencode')).toBe(false);
    expect(canDecode('constructor')).toBe(false);
    expect(() => createTransferDecoder('x-uuencode')).toThrow(
      expect.objectContaining({ code: 'CANNOT' }) as Error,
    );
  });
});

describe('createLineEndNormalizer', () => {
  const normalize = (...chunks: Buffer[]) => {
    const normalizer = createLineEndNormalizer();
    const parts = chunks.map((chunk) => Buffer.from(normalizer.write(chunk)));
    return {
      text: Buffer.concat([...parts, normalizer.finish()]).toString('latin1'),
      saw: { ...normalizer.saw },
    };
  };

  it('makes a bare LF CRLF, keeps a bare CR, and says what it saw', () => {
    expect(normalize(Buffer.from('a\nb\r\n\n'))).toEqual({
      text: 'a\r\nb\r\n\r\n',
      saw: { bareLf: true, bareCr: false, nul: false },
    });
    expect(normalize(Buffer.from('a\rb\0\r'))).toEqual({
      text: 'a\rb\0\r',
      saw: { bareLf: false, bareCr: true, nul: true },
    });
  });

  it('gives the same in any split, and never a bare LF', () => {
    const text = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', 'a', '\0'), { maxLength: 30 })
      .map((parts) => Buffer.from(parts.join('')));
    fc.assert(
      fc.property(text, fc.array(fc.nat(40), { maxLength: 8 }), (octets, cuts) => {
        const whole = normalize(octets);
        expect(
          normalize(
            ...split(
              octets,
              cuts.filter((cut) => cut <= octets.length),
            ),
          ),
        ).toEqual(whole);
        expect(whole.text).not.toMatch(/(?:^|[^\r])\n/);
        expect(normalize(Buffer.from(whole.text, 'latin1')).text).toBe(whole.text);
      }),
      { numRuns: 2000 },
    );
  });
});
