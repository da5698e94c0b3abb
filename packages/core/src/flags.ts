/**
 * Flags and keywords (RFC 9051 section 2.3.2). In every mailbox the system flags have the first bits, in this order, so
 * that "unseen" is one bit test on a column; keywords take the bits after them as they come.
 */
export const systemFlags = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft'] as const;

/** Bits in `flagsLow` of a block (store.ts). */
export const flagBit = { answered: 1, flagged: 2, deleted: 4, seen: 8, draft: 16 } as const;

/** System flags and keywords together; RFC 9051 section 2.3.2 leaves the number to the server. */
export const MAX_FLAGS = 64;

const canonical = new Map<string, string>(systemFlags.map((flag) => [flag.toLowerCase(), flag]));

/** Flags are case-insensitive (RFC 9051 section 2.3.2): system flags in their usual spelling, keywords as first written. */
export function canonicalFlag(flag: string): string {
  return canonical.get(flag.toLowerCase()) ?? flag;
}

/** The names of the bits that are set in the two words of a message's flags (store.ts). */
export function flagsOf(names: readonly string[], low: number, high: number): string[] {
  return names.filter((_, bit) => ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) === 1);
}
