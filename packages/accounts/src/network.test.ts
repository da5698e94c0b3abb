import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { networkOf } from './network.ts';

describe('networkOf', () => {
  it('is the /24 of IPv4 and the /64 of IPv6', () => {
    const table = [
      ['192.0.2.77', '192.0.2.0/24'],
      ['::ffff:192.0.2.1', '192.0.2.0/24'],
      ['::FFFF:c000:0201', '192.0.2.0/24'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:DB8:0001:0002::', '2001:db8:1:2::/64'],
      ['2001:db8::1', '2001:db8:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['::1', '0:0:0:0::/64'],
      ['/run/mail.sock', '/run/mail.sock'],
    ] as const;
    for (const [address, network] of table) assert.equal(networkOf(address), network);
  });

  it('is the same for all addresses of it, and another for others', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    const print = (numbers: readonly number[]) => numbers.map((n) => n.toString(16)).join(':');
    fc.assert(
      fc.property(groups, groups, (a, b) => {
        const neighbour = [...a.slice(0, 4), ...b.slice(4)];
        assert.equal(networkOf(print(a)), networkOf(print(neighbour)));
        const same = a.slice(0, 4).every((group, index) => group === b[index]);
        assert.equal(networkOf(print(a)) === networkOf(print(b)), same);
      }),
    );
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 255 }), (address, last) => {
        assert.equal(networkOf(address), networkOf(address.replace(/\d+$/, String(last))));
      }),
    );
  });
});
