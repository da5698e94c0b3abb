/**
 * Which sequences of four octets the texts of a block have, as a set of bits: where a bit of the wanted string is not set,
 * none of them can have it. It only skips; whether a text matches, the text says.
 *
 * One for all 16 texts, and not one for each: what has to be unpacked is the block, texts have most of their sequences in
 * common, and sixteen chances of a false hit in it would be one of each. Four octets and not three, for a text with a long
 * run of base64 has nearly every sequence of three that there is.
 */

/** Bits while texts are being read, and the most that are kept. */
const LOG_FULL = 20;
const FULL = 2 ** LOG_FULL;
const full = new Uint32Array(FULL / 32);

/** Bits for each sequence that is there: a third of them is set then. */
const BITS_EACH = 2.5;

/** 32 bits, of which the first LOG_FULL count. */
const hash = (four: number) => Math.imul(four, 0x9e3779b1) >>> 0;

/** The same bit of a set with fewer bits. */
const bitIn = (bits: number, size: number) => Math.floor((bits * size) / FULL);

/** Set bits of a signature, whose size is a multiple of 8. */
export function signatureOf(texts: Iterable<Uint8Array>): Uint8Array {
  full.fill(0);
  let different = 0;
  for (const text of texts) {
    let four = 0;
    // Octets since the last separator.
    let run = 0;
    for (let at = 0; at < text.length; at++) {
      const octet = text[at] as number;
      if (octet >= 0xfe) {
        run = 0;
        continue;
      }
      four = (four << 8) | octet;
      if (++run < 4) continue;
      const bit = hash(four) >>> (32 - LOG_FULL);
      const mask = 1 << (bit & 31);
      const word = full[bit >>> 5] as number;
      if (word & mask) continue;
      full[bit >>> 5] = word | mask;
      different++;
    }
  }
  const octets = Math.min(FULL / 8, Math.ceil((BITS_EACH * different) / 8));
  const bits = new Uint8Array(octets);
  for (let i = 0; i < full.length; i++) {
    let word = full[i] as number;
    while (word !== 0) {
      const low = 31 - Math.clz32(word & -word);
      word &= word - 1;
      const bit = bitIn((i << 5) | low, octets * 8);
      bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
    }
  }
  return bits;
}

/** What a signature is asked: the sequences of a wanted string, each once. None: it may be anywhere. */
export function probesOf(wanted: Uint8Array): Uint32Array {
  const probes = new Set<number>();
  for (let at = 0; at + 4 <= wanted.length; at++) {
    const [a, b, c, d] = wanted.subarray(at, at + 4) as unknown as [number, number, number, number];
    probes.add(hash((a << 24) | (b << 16) | (c << 8) | d) >>> (32 - LOG_FULL));
  }
  return Uint32Array.from(probes);
}

/** False: none of the texts can have it. */
export function mayHave(probes: Uint32Array, bits: Uint8Array): boolean {
  const size = bits.length * 8;
  for (let i = 0; i < probes.length; i++) {
    const bit = bitIn(probes[i] as number, size);
    if (!((bits[bit >>> 3] as number) & (1 << (bit & 7)))) return false;
  }
  return true;
}
