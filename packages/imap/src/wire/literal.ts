/**
 * Where a line ends with the announcement of a literal, and what to do about it (RFC 9051 section 4.3, RFC 7888).
 * `{5}` waits for our go-ahead, `{5+}` comes at once, `~{5}` may hold NUL (literal8).
 */

export interface LiteralHeader {
  readonly size: number;
  /** The client waits for `+` before it sends the octets. */
  readonly synchronizing: boolean;
  readonly eight: boolean;
  /** Octets of the line in front of it. */
  readonly at: number;
}

/** Digits that a size may have; more is more than anybody has. */
const MOST_DIGITS = 15;

export function literalHeader(line: Buffer): LiteralHeader | undefined {
  let at = line.length - 1;
  if (line[at--] !== 0x7d) return undefined;
  const synchronizing = line[at] !== 0x2b;
  if (!synchronizing) at--;
  let size = 0;
  let digits = 0;
  for (let weight = 1; at >= 0; at--, digits++, weight *= 10) {
    const digit = (line[at] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    size = digits < MOST_DIGITS ? size + digit * weight : Infinity;
  }
  if (digits === 0 || line[at] !== 0x7b) return undefined;
  const eight = at > 0 && line[at - 1] === 0x7e;
  return { size, synchronizing, eight, at: eight ? at - 1 : at };
}
