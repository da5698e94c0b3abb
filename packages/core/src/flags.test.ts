import assert from 'node:assert/strict';
import { it } from 'vitest';
import { canonicalFlag, flagBit, systemFlags } from './flags.ts';

it('system flags are written as usual, keywords as they came', () => {
  assert.equal(canonicalFlag('\\SEEN'), '\\Seen');
  assert.equal(canonicalFlag('\\deleted'), '\\Deleted');
  assert.equal(canonicalFlag('$ForWarded'), '$ForWarded');
  assert.equal(canonicalFlag('\\Unknown'), '\\Unknown');
});

it('the bits of system flags are in the order of their names', () => {
  const bits = systemFlags.map(
    (flag) => flagBit[flag.slice(1).toLowerCase() as keyof typeof flagBit],
  );
  assert.deepEqual(bits, [1, 2, 4, 8, 16]);
});
