/**
 * CRC-32 of octets that follow others, from the checksums of both: a body's own checksum need not be computed once more for
 * the record around it. A checksum is a polynomial modulo that of CRC-32; octets that follow multiply it by x to the power
 * of their bits. Bits are reflected: the highest is the coefficient of x to the power of 0.
 */

const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;

/** @param {number} a @param {number} b */
function multiply(a, b) {
  let product = 0;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
  }
  return product >>> 0;
}

/** x to the power of 8, 16, 32 and so on. */
const powers = (() => {
  let power = 0x00800000;
  return Array.from({ length: 32 }, () => {
    const now = power;
    power = multiply(power, power);
    return now;
  });
})();

/**
 * What `crc32(octets, before)` gives, where `crc` is `crc32(octets)`.
 *
 * @param {number} before
 * @param {number} crc
 * @param {number} octets how many they are
 */
export function crcAfter(before, crc, octets) {
  let shifted = before;
  for (let rest = octets, i = 0; rest > 0; rest >>>= 1, i++) {
    if (rest & 1) shifted = multiply(/** @type {number} */ (powers[i]), shifted);
  }
  return (shifted ^ crc) >>> 0;
}
