import assert from 'node:assert/strict';
import { simpleParser } from 'mailparser';
import { it } from 'vitest';
import { sampleMessages } from './messages.ts';

it.each(Object.entries(sampleMessages))(
  '%s has no line break but CRLF, and ends with one',
  (_, octets) => {
    const text = Buffer.from(octets).toString('latin1');
    assert.equal(/[^\r]\n|\r[^\n]|^\n|\r$/.test(text), false);
    assert.ok(text.endsWith('\r\n'));
    assert.equal(octets.constructor, Uint8Array);
  },
);

it('another parser finds in them what they say', async () => {
  const parse = (octets: Uint8Array) => simpleParser(Buffer.from(octets));
  assert.equal((await parse(sampleMessages.plain)).text, 'Shall we have lunch?\n');
  const eightBit = await parse(sampleMessages.eightBit);
  assert.equal(eightBit.subject, 'Grüße');
  assert.equal(eightBit.text, 'Schöne Grüße\n');
  const multipart = await parse(sampleMessages.multipart);
  assert.equal(multipart.text?.trim(), 'The café has a new menu.');
  assert.equal(multipart.attachments[0]?.filename, 'menu.pdf');
  assert.equal(multipart.attachments[0]?.content.toString(), '%PDF-1.4\n%%EOF\n');
  assert.equal((await parse(sampleMessages.nested)).attachments[0]?.contentType, 'message/rfc822');
});
