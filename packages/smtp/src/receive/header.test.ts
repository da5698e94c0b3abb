import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HeaderWatch } from './header.ts';
import { lines } from './fixtures/world.ts';

function watch(chunks: readonly Buffer[]) {
  const header = new HeaderWatch();
  for (const chunk of chunks) header.feed(chunk);
  return { ...header.count, over: header.over };
}

const nothing = { received: 0, date: 0, 'message-id': 0, from: 0, over: false };

it.each([
  ['', nothing],
  [
    lines('Received: a', '\tReceived: b', 'RECEIVED : c', 'Received-SPF: d', 'X-Received: e', ''),
    { ...nothing, received: 2, over: true },
  ],
  [lines('Date: a', '', 'Date: b'), { ...nothing, date: 1, over: true }],
  [lines('message-ID:', 'From:x'), { ...nothing, 'message-id': 1, from: 1 }],
  [lines('Dated: a', 'Date'), nothing],
  [lines(`From: ${'x'.repeat(1000)}`, 'Date: a', ''), { ...nothing, from: 1, date: 1, over: true }],
])('%j', (text, wanted) => {
  expect(watch([Buffer.from(text)])).toEqual(wanted);
  expect(watch([...text].map((char) => Buffer.from(char)))).toEqual(wanted);
});

it.each([
  ['hello\r\n', true],
  ['hello\r\nworld\r\n\r\nSubject: a\r\n', true],
  [' Subject: a\r\n', true],
  [': a\r\n', true],
  ['at five: a\r\n', true],
  [`${'x'.repeat(300_000)}\r\n`, true],
  ['', false],
  ['\r\nhello\r\n', false],
  ['Subject: a\r\n', false],
  ['Subject \t: a\r\n\r\n', false],
  ['From a Mon Nov\r\nSubject: a\r\n', false],
])('of %j the header is missing: %s', (text, wanted) => {
  const header = new HeaderWatch();
  for (let at = 0; at < text.length; at += 50) header.feed(Buffer.from(text.slice(at, at + 50)));
  expect(header.isMissing).toBe(wanted);
});

it('sees the same however the octets are cut', () => {
  const piece = fc.constantFrom(
    'Received:',
    'Date: ',
    '\r\n',
    ' ',
    'From',
    ':',
    'Message-ID:',
    'x'.repeat(150),
  );
  fc.assert(
    fc.property(fc.array(fc.array(piece, { maxLength: 6 }), { maxLength: 8 }), (parts) => {
      const chunks = parts.map((part) => Buffer.from(part.join('')));
      const whole = Buffer.concat(chunks);
      expect(watch(chunks)).toEqual(watch([whole]));
      expect(watch([...whole].map((octet) => Buffer.of(octet)))).toEqual(watch([whole]));
    }),
    { numRuns: 1000 },
  );
});

it('looks no further than 256 KiB', () => {
  const header = new HeaderWatch();
  for (let i = 0; i < 300; i++) header.feed(Buffer.alloc(1024, 'x'));
  expect(header.over).toBe(true);
});
