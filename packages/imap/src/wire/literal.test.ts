import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { literalHeader } from './literal.ts';

describe('the end of a line', () => {
  it('announces a literal in four forms', () => {
    const table: [string, ReturnType<typeof literalHeader>][] = [
      ['a {5}', { size: 5, synchronizing: true, eight: false, at: 2 }],
      ['a {5+}', { size: 5, synchronizing: false, eight: false, at: 2 }],
      ['a ~{0}', { size: 0, synchronizing: true, eight: true, at: 2 }],
      ['~{12+}', { size: 12, synchronizing: false, eight: true, at: 0 }],
      ['a {99999999999999999999}', { size: Infinity, synchronizing: true, eight: false, at: 2 }],
      ['a {}', undefined],
      ['a {+}', undefined],
      ['a {5++}', undefined],
      ['a {-5}', undefined],
      ['a 5}', undefined],
      ['}', undefined],
      ['', undefined],
      ['a {5} ', undefined],
    ];
    for (const [line, header] of table) {
      assert.deepEqual(literalHeader(Buffer.from(line)), header, line);
    }
  });
});
