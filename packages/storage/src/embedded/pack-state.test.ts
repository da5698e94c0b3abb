import assert from 'node:assert/strict';
import { it } from 'vitest';
import { packProperties, unpackProperties } from './pack-state.ts';
import { Packer, Unpacker } from './pack.ts';

it('properties of the first form have no limits', () => {
  const properties = { name: 'Büro', subscribed: true, acl: [], metadata: [] };
  const packer = new Packer(64);
  packProperties(packer, { ...properties, limits: { octets: 5e9, messages: 3 } });
  const second = packer.bytes;
  assert.deepEqual(unpackProperties(new Unpacker(second), 2), {
    ...properties,
    limits: { octets: 5e9, messages: 3 },
  });
  // Four limits, two of them there.
  const first = second.subarray(0, second.length - (4 + 2 * 8));
  const from = new Unpacker(first);
  assert.deepEqual(unpackProperties(from, 1), { ...properties, limits: {} });
  assert.throws(() => from.u8());
});
