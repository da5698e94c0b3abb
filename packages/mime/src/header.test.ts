import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baseSubject } from './subject.ts';
import { parseDate } from './date.ts';
import { decodeEncodedWords } from './encoded-words.ts';
import { collapse, fieldsOf, headerFields, unfold } from './header.ts';
import { imapString } from './imap-strings.ts';
import { parseMessageIds, referencesOf } from './message-id.ts';
import { parameterValue, parseParameters } from './parameters.ts';
import { Tokens } from './tokens.ts';

const latin1 = (text: string) => Buffer.from(text).toString('latin1');

describe('fieldsOf', () => {
  it('gives fields in order, folded as they are, up to the blank line', () => {
    const fields = [...fieldsOf('From x\r\nA : 1\r\n 2\r\nno colon\r\nb:\r\n\r\nC: body')];
    expect(fields.map(({ name, value }) => [name, value])).toEqual([
      ['A', ' 1\r\n 2'],
      ['b', ''],
    ]);
  });

  it('unfolds and collapses', () => {
    expect(unfold(' a\r\n\tb  c ')).toBe('a\tb  c ');
    expect(collapse(' a\r\n\tb  c ')).toBe('a b c');
  });
});

describe('headerFields', () => {
  const header = Buffer.from('Subject: a\r\n b\r\nTo: x\r\nSUBJECT: c\r\n\r\n');
  it('gives the named fields octet for octet and a blank line (RFC 9051 section 6.4.5.1)', () => {
    expect(headerFields(header, ['subject'], false).toString()).toBe(
      'Subject: a\r\n b\r\nSUBJECT: c\r\n\r\n',
    );
    expect(headerFields(header, ['Subject'], true).toString()).toBe('To: x\r\n\r\n');
    expect(headerFields(header, ['X'], false).toString()).toBe('\r\n');
    expect(headerFields(Buffer.from('A: b'), ['a'], false).toString()).toBe('A: b');
    expect(headerFields(Buffer.from('A: b\r\n'), ['a'], false).toString()).toBe('A: b\r\n');
    expect(headerFields(Buffer.from('\r\n'), ['a'], false).toString()).toBe('\r\n');
  });
});

describe('decodeEncodedWords', () => {
  it.each([
    // RFC 2047 section 8.
    ['(=?ISO-8859-1?Q?a?=)', '(a)'],
    ['(=?ISO-8859-1?Q?a?= b)', '(a b)'],
    ['(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)', '(ab)'],
    ['(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)', '(ab)'],
    ['(=?ISO-8859-1?Q?a_b?=)', '(a b)'],
    [
      '=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=',
      'If you can read this you understand the example.',
    ],
    // RFC 2231 section 5.
    ['=?US-ASCII*EN?Q?Keith_Moore?=', 'Keith Moore'],
    // A character cut in two by the sender.
    ['=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=', 'café'],
    ['=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=', 'テスト'],
    ['=?koi8-r?B?8NLJ18XU?=', 'Привет'],
    // Broken ones stay.
    ['=?utf-8?X?abc?=', '=?utf-8?X?abc?='],
    ['=?no-such-charset?Q?abc?=', '=?no-such-charset?Q?abc?='],
    ['=?utf-8?Q?abc', '=?utf-8?Q?abc'],
    ['=?utf-8?Q?a=ZZ?=', 'a=ZZ'],
    [latin1('grüße'), 'grüße'],
    ['gr\xfc\xdfe', 'grüße'],
  ])('%j is %j', (value, text) => expect(decodeEncodedWords(value)).toBe(text));
});

describe('parseParameters', () => {
  const parse = (value: string) => parseParameters(new Tokens(value));
  it('joins continuations, and decodes charset and percent signs (RFC 2231)', () => {
    const list = parse(`; a=1; title*1*=%2A%20; title*0*=us-ascii'en'This%20; title*2="isn't it!"`);
    expect(list).toEqual([
      ['a', '1'],
      ['title*', "us-ascii'en'This%20%2A%20isn't it!"],
    ]);
    expect(parameterValue(list, 'TITLE')).toBe("This * isn't it!");
  });
  it.each([
    ['; filename="a\\"b.txt"', 'a"b.txt'],
    ["; filename*=UTF-8''%e2%82%ac", '€'],
    ["; filename=x; filename*=UTF-8''y", 'y'],
    ['; filename*0=ab; filename*1=cd', 'abcd'],
    ['; filename="=?utf-8?B?4oKs?="', '€'],
    ['; filename==?utf-8?B?4oKs?=', '€'],
    ['; broken; =; filename=a.txt', 'a.txt'],
    [' filename=a.txt', 'a.txt'],
    ['; filename', undefined],
    ["; filename*=bad'%zz", "bad'%zz"],
  ])('%j', (value, expected) => expect(parameterValue(parse(value), 'filename')).toBe(expected));
});

describe('parseDate', () => {
  it.each<[string, string, number]>([
    ['Fri, 21 Nov 1997 09:55:06 -0600', '1997-11-21T15:55:06Z', -360],
    ['21 Nov 97 09:55:06 GMT', '1997-11-21T09:55:06Z', 0],
    ['Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', '1997-11-21T15:55:06Z', -360],
    ['Thu, 13 Feb 1969 23:32 -0330', '1969-02-14T03:02:00Z', -210],
    ['1 Jan 24 00:00 EST', '2024-01-01T05:00:00Z', -300],
    ['1 Jan 102 00:00', '2002-01-01T00:00:00Z', 0],
    ['Wed Jan  3 12:00:00 2024', '2024-01-03T12:00:00Z', 0],
    ['Wed, 3-Jan-2024 12:00:00 +0100 (CET)', '2024-01-03T11:00:00Z', 60],
    ['Wed 3 Jan 2024', '2024-01-03T00:00:00Z', 0],
  ])('reads %j', (value, time, zone) => {
    expect(parseDate(value)).toEqual({ time: Date.parse(time), zone });
  });
  it.each(['', 'Whenever', '31 Feb 2024', '0 Jan 2024', '1 Foo 2024', '1 Jan'])(
    'does not read %j',
    (value) => {
      expect(parseDate(value)).toBeUndefined();
    },
  );
});

describe('baseSubject', () => {
  it.each([
    ['Re: hello', 'hello', true],
    ['RE [3]: Fwd: hello (fwd)', 'hello', true],
    ['[list] Re: [other] hello', 'hello', true],
    ['[fwd: Re: hello]', 'hello', true],
    ['[only a blob]', '[only a blob]', false],
    ['re: ', '', true],
    ['a  b\r\n c ', 'a b c', false],
    ['Fw: =?utf-8?Q?Re=3A_caf=C3=A9?=', 'café', true],
    ['Regarding', 'Regarding', false],
    ['[a] [b][c]', '[c]', false],
    ['[a] Regarding', 'Regarding', false],
    ['[a] [fwd: [b] re: c]', 'c', true],
  ])('of %j is %j', (subject, text, isReply) =>
    expect(baseSubject(subject)).toEqual({ text, isReply }),
  );

  it('costs time linear in a hostile subject', () => {
    for (const hostile of ['[a]', '[a] ', 're:', '[fwd:', '[', '(fwd)', 're [a]']) {
      const subject = hostile.repeat(50_000);
      const started = process.cpuUsage();
      baseSubject(subject);
      expect(process.cpuUsage(started).user, hostile).toBeLessThan(1_000_000);
    }
  });
});

describe('parseMessageIds', () => {
  it('takes what stands in angle brackets, normalised, once each', () => {
    expect(parseMessageIds('<a@b> <"c"@d>\r\n junk <a@b> <e (x) @ f . g> <broken> <')).toEqual([
      'a@b',
      'c@d',
      'e@f.g',
      'broken',
    ]);
  });
  it('uses In-Reply-To where References says nothing (RFC 5256 section 3)', () => {
    expect(referencesOf('', 'Your mail <x@y> of <z@y>')).toEqual(['x@y']);
    expect(referencesOf('<a@b>', '<x@y>')).toEqual(['a@b']);
  });
});

describe('imapString', () => {
  it('is quoted where it can be, a literal where it must', () => {
    expect(imapString('a "b" \\')).toBe('"a \\"b\\" \\\\"');
    expect(imapString('a\r\nb')).toBe('{4}\r\na\r\nb');
    expect(imapString('\xe4')).toBe('{1}\r\n\xe4');
    expect(imapString('a\0')).toBe('"a?"');
  });
});

it('no header, however odd, makes a parser throw or loop', () => {
  const text = fc.string({
    unit: fc.constantFrom(...'ab "\\()<>@,;:=?*\'%0[]\r\n\t.é-QBu8'.split('')),
    maxLength: 200,
  });
  fc.assert(
    fc.property(text, (value) => {
      [...fieldsOf(value)];
      decodeEncodedWords(value);
      parseParameters(new Tokens(value));
      parseDate(value);
      baseSubject(value);
      parseMessageIds(value);
    }),
    { numRuns: 1000 },
  );
});
