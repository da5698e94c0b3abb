import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { prepare, prepareNewPassword } from './prepare.ts';

describe('prepare', () => {
  it('is SASLprep: the examples of RFC 4013 section 3', () => {
    const table = [
      ['I\u00adX', 'IX'],
      ['user', 'user'],
      ['USER', 'USER'],
      ['\u00aa', 'a'],
      ['\u2168', 'IX'],
      ['a\u00a0b', 'a b'],
    ] as const;
    for (const [typed, prepared] of table) assert.equal(prepare(typed), prepared);
  });

  it('leaves alone what SASLprep refuses: clients send it as it is', () => {
    for (const text of ['\u{1f600} smile', '\u06271', '\u0007', '\u00ad', '']) {
      assert.equal(prepare(text), text);
    }
  });

  it('refuses a new password that is empty, longer than 1,024 octets, or has control characters', () => {
    for (const password of ['', 'a'.repeat(1025), 'ü'.repeat(513), 'a\0b', 'a\nb', 'a\u0085b']) {
      assert.throws(() => prepareNewPassword(password), { code: 'CANNOT' });
    }
    assert.equal(prepareNewPassword('ü'.repeat(512)), 'ü'.repeat(512));
  });
});
