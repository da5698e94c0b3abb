/**
 * Which sequences of three octets a text has, as a set of bits: where a bit of the wanted string is not set, the text
 * cannot have it. It only skips; whether a text matches, the text says.
 */

/** Bits while a text is being read; the fewest and the most that are kept. Powers of two. */
const LOG_FULL = 18;
const LOG_LEAST = 6;
const LOG_MOST = 17;

const full = new Uint32Array(2 ** (LOG_FULL - 5));

export interface Signature {
  /** Binary logarithm of the count of bits. 0: there is none, and nothing can be skipped. */
  readonly log: number;
  readonly bits: Uint8Array;
}

export const noSignature: Signature = { log: 0, bits: new Uint8Array(0) };

/** 32 bits, of which the first ones are the number of a bit in a set of any size. */
const hash = (three: number) => Math.imul(three, 0x9e3779b1) >>> 0;

/**
 * Two to four bits for each sequence that the text has, so that between a quarter and a third of them are set; but no more
 * than one bit for each octet of text, so that the signature stays a small part of the index.
 */
export function signatureOf(texts: readonly Uint8Array[]): Signature {
  full.fill(0);
  let different = 0;
  let octets = 0;
  for (const text of texts) {
    octets += text.length;
    let three = 0;
    // Octets since the last separator.
    let run = 0;
    for (let at = 0; at < text.length; at++) {
      const octet = text[at] as number;
      if (octet >= 0xfe) {
        run = 0;
        continue;
      }
      three = ((three << 8) | octet) & 0xffffff;
      if (++run < 3) continue;
      const bit = hash(three) >>> (32 - LOG_FULL);
      const mask = 1 << (bit & 31);
      const word = full[bit >>> 5] as number;
      if (word & mask) continue;
      full[bit >>> 5] = word | mask;
      different++;
    }
  }
  const wanted = Math.min(4 * different, 1.25 * octets);
  const log = Math.max(LOG_LEAST, Math.min(LOG_MOST, Math.floor(Math.log2(wanted + 1))));
  const bits = new Uint8Array(2 ** (log - 3));
  for (let i = 0; i < full.length; i++) {
    let word = full[i] as number;
    while (word !== 0) {
      const low = 31 - Math.clz32(word & -word);
      word &= word - 1;
      const bit = ((i << 5) | low) >>> (LOG_FULL - log);
      bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
    }
  }
  return { log, bits };
}

/** What a signature is asked: the hashes of the sequences of a wanted string, each once. */
export function probesOf(wanted: Uint8Array): Uint32Array {
  const hashes = new Set<number>();
  for (let at = 0; at + 3 <= wanted.length; at++) {
    const [a, b, c] = wanted.subarray(at, at + 3) as unknown as [number, number, number];
    hashes.add(hash((a << 16) | (b << 8) | c));
  }
  return Uint32Array.from(hashes);
}

/** False: the text cannot have it. `at`: where the signature begins in `bits`. */
export function mayHave(probes: Uint32Array, log: number, bits: Uint8Array, at: number): boolean {
  if (log === 0) return true;
  for (let i = 0; i < probes.length; i++) {
    const bit = (probes[i] as number) >>> (32 - log);
    if (!((bits[at + (bit >>> 3)] as number) & (1 << (bit & 7)))) return false;
  }
  return true;
}
