import { describe, expect, it } from 'vitest';
import { parseAddresses } from './address.ts';

/** `name|route|mailbox|host`, - for none. */
const rows = (value: string, limit?: number) =>
  parseAddresses(value, limit).map(({ name, route, mailbox, host }) =>
    [name, route, mailbox, host].map((text) => text ?? '-').join('|'),
  );

describe('parseAddresses', () => {
  it.each<[string, string[]]>([
    ['a@b.example', ['-|-|a|b.example']],
    [
      'Ann <a@b.example>, "Bob, B." <"b c"@d.example>',
      ['Ann|-|a|b.example', 'Bob, B.|-|b c|d.example'],
    ],
    ['<@one.example,@two.example:a@b.example>', ['-|@one.example,@two.example|a|b.example']],
    ['G: a@b, c@d;', ['-|-|G|-', '-|-|a|b', '-|-|c|d', '-|-|-|-']],
    ['G:;, x@y', ['-|-|G|-', '-|-|-|-', '-|-|x|y']],
    ['a@b (Ann (nick))', ['Ann (nick)|-|a|b']],
    ['a (comment) @ b . example', ['comment|-|a|b.example']],
    ['a@[192.0.2.1]', ['-|-|a|[192.0.2.1]']],
    ['John Q. Public <j@p>', ['John Q. Public|-|j|p']],
    ['=?utf-8?Q?J=C3=B6rg?= <j@p>', ['=?utf-8?Q?J=C3=B6rg?=|-|j|p']],
    ['a..b@c, .d@e, f.@g, <h..@i>', ['-|-|a..b|c', '-|-|.d|e', '-|-|f.|g', '-|-|h..|i']],
    ['a@b,, c@d,', ['-|-|a|b', '-|-|c|d']],
    ['', []],
    ['root', ['-|-|root|MISSING_DOMAIN']],
    ['Mary Smith', ['Mary Smith|-|MISSING_MAILBOX|MISSING_DOMAIN']],
    ['<>', ['-|-|MISSING_MAILBOX|MISSING_DOMAIN']],
    ['<a:;>', ['-|-|a|SYNTAX_ERROR']],
    ['<@:a@b>', ['-|INVALID_ROUTE|a|b']],
    ['G: a@b', ['-|-|G|-', '-|-|a|b', '-|-|-|-']],
  ])('reads %j', (value, expected) => expect(rows(value)).toEqual(expected));

  it('keeps at most as many as asked for, and costs time linear in a hostile field', () => {
    expect(rows('a@b,'.repeat(100), 3)).toHaveLength(3);
    for (const hostile of [
      '(',
      '"',
      '<',
      'a:',
      '@',
      ',',
      '[',
      '\\',
      '"a" ',
      '((a)',
      'a@b(',
      'a.',
      '.',
    ]) {
      const text = hostile.repeat(200_000);
      const started = process.cpuUsage();
      parseAddresses(text);
      expect(process.cpuUsage(started).user, hostile).toBeLessThan(2_000_000);
    }
  });
});
