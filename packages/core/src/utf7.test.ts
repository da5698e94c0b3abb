import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { decodeUtf7, encodeUtf7 } from './utf7.ts';

describe('modified UTF-7', () => {
  it('writes names as the examples of RFC 3501 section 5.1.3 do', () => {
    const table: [string, string][] = [
      ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
      ['R&D', 'R&-D'],
      ['Entwürfe', 'Entw&APw-rfe'],
      ['🙂', '&2D3eQg-'],
      ['', ''],
    ];
    for (const [name, written] of table) {
      assert.equal(encodeUtf7(name), written);
      assert.equal(decodeUtf7(written), name);
    }
  });

  it('reads back every name that it wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        assert.equal(decodeUtf7(encodeUtf7(name)), name);
      }),
    );
  });

  it('takes one spelling of a name only', () => {
    for (const written of [
      '&Jjo!',
      '&U,BTFw-&ZeVnLIqe-',
      '&AGEA-',
      '&-&',
      'R&D',
      '&A-',
      '&2D0-',
      '&APw-&APw-',
      '&&-',
    ]) {
      assert.equal(decodeUtf7(written), undefined, written);
    }
  });
});
