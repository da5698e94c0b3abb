import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { crcAfter } from './crc.js';

describe('crcAfter', () => {
  it('is the checksum of octets that follow others', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array({ maxLength: 5000 }), (first, second) => {
        const before = crc32(first);
        assert.equal(crcAfter(before, crc32(second), second.length), crc32(second, before));
      }),
    );
    const large = Buffer.alloc(1_000_001, 'large');
    assert.equal(crcAfter(123, crc32(large), large.length), crc32(large, 123));
  });
});
