import { describe, expect, it } from 'vitest';
import { decodeStructure, factsOf } from '@mail-server-kit/mime';
import { lines } from './fixtures/world.ts';
import { printReport, type Report } from './report.ts';

const anna = { localPart: 'anna', domain: 'example.net' };

function print(about: Partial<Report> = {}): string {
  return printReport({
    id: '0123',
    hostname: 'mx.example.net',
    time: 0,
    to: anna,
    envelopeId: undefined,
    messageId: '',
    reported: [{ recipient: { forwardPath: anna }, action: 'delivered' }],
    header: Buffer.from(lines('Subject: a')),
    ...about,
  }).toString('latin1');
}

describe('a report', () => {
  it('is a message of three parts, or two if there was no header', async () => {
    const types = async (text: string) => {
      const { structure } = await factsOf([Buffer.from(text, 'latin1')]);
      const { type, subtype, children } = decodeStructure(structure);
      const parts = children?.map((part) => `${part.type}/${part.subtype}`.toLowerCase());
      return [`${type}/${subtype}`.toLowerCase(), ...(parts ?? [])];
    };
    const two = ['multipart/report', 'text/plain', 'message/delivery-status'];
    expect(await types(print())).toEqual([...two, 'text/rfc822-headers']);
    expect(await types(print({ header: Buffer.alloc(0) }))).toEqual(two);
  });

  it.each([
    ['mx.example.net', 'dns; mx.example.net'],
    ['mailhost', 'x-local-hostname; mailhost'],
    ['my_host.local', 'x-local-hostname; my_host.local'],
  ])('of %s comes from %s (RFC 3461 section 6.3)', (hostname, field) => {
    expect(print({ hostname })).toContain(`\r\nReporting-MTA: ${field}\r\n`);
  });

  it.each([
    ['a@example.net', true],
    ['a@[192.0.2.1]', true],
    ['', false],
    ['a b', false],
    ['a>\r\nBcc: <b', false],
    ['x'.repeat(900), false],
  ])('answers to the Message-ID %j: %s', (messageId, answers) => {
    expect(print({ messageId }).includes('In-Reply-To')).toBe(answers);
  });

  it('returns a header that is no UTF-8 as it is, and does not call it so', () => {
    const text = print({ header: Buffer.from('Subject: gr\xfc\xdfe\r\n', 'latin1') });
    expect(text).toContain(
      lines(
        'Content-Type: text/rfc822-headers',
        'Content-Transfer-Encoding: 8bit',
        '',
        'Subject: gr\xfc\xdfe',
      ),
    );
    // A multipart is what its parts are (RFC 2045 section 6.4).
    expect(text).toContain('\tboundary="=_0123"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n');
  });
});
