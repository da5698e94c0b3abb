import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { LAST, Reader, type ReaderOptions } from './reader.ts';
import { Problem } from './problem.ts';

function read<T>(
  text: string | Buffer,
  production: (read: Reader) => T,
  options?: ReaderOptions,
): T {
  const reader = new Reader(Buffer.from(text as Buffer), options);
  const value = production(reader);
  reader.end();
  return value;
}

function refuses(text: string, production: (read: Reader) => unknown, message?: string): void {
  assert.throws(
    () => read(text, production),
    (error: unknown) =>
      error instanceof Problem && (message === undefined || error.message === message),
    text,
  );
}

describe('astring', () => {
  it('is an atom, a quoted string or a literal', () => {
    const table: [string, string][] = [
      ['abc', 'abc'],
      ['a]b', 'a]b'],
      ['"a b"', 'a b'],
      ['"a \\"b\\" \\\\"', 'a "b" \\'],
      ['""', ''],
      ['"Grüße"', 'Grüße'],
      ['{3}\r\na"\n', 'a"\n'],
      ['{0+}\r\n', ''],
      ['~{3}\r\na\0b', 'a\0b'],
    ];
    for (const [text, value] of table)
      assert.equal(
        read(text, (r) => r.astring()),
        value,
      );
  });

  it('is nothing else', () => {
    refuses('', (r) => r.astring(), 'Expected a string, found the end at octet 1');
    for (const text of ['a b', 'a(', '"a', '"a\\n"', '"a\r\nb"', '"a\0"', '{3}\r\nab']) {
      refuses(text, (r) => r.astring());
    }
    refuses('{3}\r\na\0b', (r) => r.astring(), 'NUL is not allowed in a literal');
    refuses('{3}abc', (r) => r.astring(), 'Expected "\n", found "a" at octet 4');
  });
});

describe('sequence-set', () => {
  it('is numbers and ranges, or what was saved', () => {
    assert.deepEqual(
      read('2,4:7,*:9', (r) => r.sequenceSet()),
      [
        [2, 2],
        [4, 7],
        [LAST, 9],
      ],
    );
    assert.equal(
      read('$', (r) => r.sequenceSet()),
      '$',
    );
  });

  it('has no 0 and nothing above 32 bits', () => {
    for (const text of ['0', '1:0', '4294967296', '1,', ',1', '1:', 'a', '-1', '1::2']) {
      refuses(text, (r) => r.sequenceSet());
    }
  });
});

describe('mailbox', () => {
  it('is modified UTF-7, or UTF-8 after ENABLE', () => {
    assert.equal(
      read('Entw&APw-rfe', (r) => r.mailbox()),
      'Entwürfe',
    );
    assert.equal(
      read('R&D', (r) => r.mailbox(), { utf8Names: true }),
      'R&D',
    );
    assert.equal(
      read('"u\u0308"', (r) => r.mailbox(), { utf8Names: true }),
      'ü',
    );
    refuses('R&D', (r) => r.mailbox());
  });

  it('is INBOX in any letter case', () => {
    for (const text of ['inbox', '"InBox"', '{5}\r\ninbox']) {
      assert.equal(
        read(text, (r) => r.mailbox()),
        'INBOX',
      );
    }
    assert.equal(
      read('inbox/Lists', (r) => r.mailbox()),
      'INBOX/Lists',
    );
    assert.equal(
      read('inboxes', (r) => r.mailbox()),
      'inboxes',
    );
  });
});

describe('number', () => {
  it('has up to 2^53 - 1', () => {
    assert.equal(
      read('9007199254740991', (r) => r.number()),
      2 ** 53 - 1,
    );
    refuses('9007199254740992', (r) => r.number());
    refuses('1'.repeat(1000), (r) => r.number());
  });

  it('of 64 bits is cut where nothing reaches (RFC 7162 section 7, mod-sequence-value)', () => {
    for (const [text, value] of [
      ['917', 917],
      ['9223372036854775807', 2 ** 53 - 1],
      ['1'.repeat(1000), 2 ** 53 - 1],
    ] as const) {
      assert.equal(
        read(text, (r) => r.number64()),
        value,
      );
    }
    refuses('x', (r) => r.number64());
  });
});

describe('lists', () => {
  it('nest as deep as they may and no deeper', () => {
    const nest = (r: Reader): unknown => (r.next === '(' ? r.list(() => nest(r)) : r.atom());
    const deep = (depth: number): string => '('.repeat(depth) + 'a' + ')'.repeat(depth);
    read(deep(64), nest);
    refuses(deep(65), nest, 'Nested too deeply');
    refuses(deep(100_000), nest, 'Nested too deeply');
  });

  it('have one space between their items and none around', () => {
    assert.deepEqual(
      read('(a b)', (r) => r.list(() => r.atom())),
      ['a', 'b'],
    );
    for (const text of ['( a)', '(a )', '(a  b)', '(a', 'a)', '()'])
      refuses(text, (r) => r.list(() => r.atom()));
  });
});

describe('whatever comes', () => {
  const productions: ((read: Reader) => unknown)[] = [
    (r) => r.astring(),
    (r) => r.mailbox(),
    (r) => r.listMailbox(),
    (r) => r.sequenceSet(),
    (r) => r.flagList(),
    (r) => r.dateTime(),
    (r) => r.date(),
    (r) => r.nstring(),
    (r) => r.list(() => r.astring()),
  ];

  it('is read, or refused as a Problem', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom(...productions),
        (octets, production) => {
          try {
            production(new Reader(Buffer.from(octets)));
          } catch (error) {
            assert.ok(error instanceof Problem, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('is read the same if it was quoted or sent as a literal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!/[\0\r\n]/.test(text));
        const quoted = `"${text.replace(/["\\]/g, '\\$&')}"`;
        const literal = `{${Buffer.byteLength(text)}}\r\n${text}`;
        assert.equal(
          read(quoted, (r) => r.astring()),
          text,
        );
        assert.equal(
          read(literal, (r) => r.astring()),
          text,
        );
      }),
    );
  });
});
