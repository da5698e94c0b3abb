/** The network an address belongs to: what one person can usually move around in. */
import { isIP } from 'node:net';

/** The /24 of IPv4, the /64 of IPv6; IPv4 mapped into IPv6 is IPv4. What is no address is its own network. */
export function networkOf(remoteAddress: string): string {
  const [address = ''] = remoteAddress.split('%');
  const family = isIP(address);
  if (family === 0) return remoteAddress.slice(0, 64);
  if (family === 4) return ipv4Network(address.split('.').map(Number));
  const groups = groupsOf(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return ipv4Network([high >> 8, high & 0xff, low >> 8]);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

function ipv4Network([a, b, c]: readonly number[]): string {
  return `${a}.${b}.${c}.0/24`;
}

/** The eight numbers of an IPv6 address. The URL parser writes a dotted tail in hexadecimal. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (text: string) =>
    text === '' ? [] : text.split(':').map((g) => parseInt(g, 16));
  const before = numbers(head);
  const after = numbers(tail ?? '');
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after];
}
