import assert from 'node:assert/strict';
import { it } from 'vitest';
import { seededRandom } from './random.ts';

it('the same seed gives the same, another seed something else', () => {
  const octets = (seed: number) => Buffer.from(seededRandom(seed).bytes(32)).toString('hex');
  assert.equal(octets(7), octets(7));
  assert.notEqual(octets(7), octets(8));
});

it('integers stay below their bound and reach every value', () => {
  const random = seededRandom(1);
  const seen = new Set(Array.from({ length: 500 }, () => random.integer(10)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const heads = Array.from({ length: 10_000 }, () => random.chance(0.5)).filter(Boolean).length;
  assert.ok(heads > 4700 && heads < 5300, `${heads} of 10,000`);
});
