/** Delimiter lines of multiparts (RFC 2046 section 5.1.1). */

/** A delimiter line of the part at `index` of the open ones. */
export interface Delimiter {
  readonly index: number;
  /** It is the close-delimiter. */
  readonly isLast: boolean;
  /** Behind the two dashes. */
  readonly line: string;
}

/** Of a line that may be a delimiter this much is looked at, line end included; more than any boundary we compare. */
export const MAX_DELIMITER = 100;

/**
 * Whose delimiter a line is; `line` is what follows its two dashes. "Boundary string comparisons must compare the boundary
 * string with the beginning of each candidate line": of several that fit, the longest is meant, and of equal ones the
 * innermost, which comes last in `open`. Those of outer parts count too, else a part cut short would swallow what follows.
 */
export function findDelimiter(
  line: string,
  open: readonly { readonly boundary: string | undefined }[],
): Delimiter | undefined {
  let index = -1;
  let found = '';
  for (let i = open.length - 1; i >= 0; i--) {
    const boundary = open[i]?.boundary;
    if (boundary === undefined || boundary.length <= found.length) continue;
    if (!line.startsWith(boundary)) continue;
    found = boundary;
    index = i;
    // `x--` ends the boundary `x`, even if there is another named `x--` further out.
    const rest = line.length - boundary.length;
    if (rest === 0 || (rest === 2 && line.endsWith('--'))) break;
  }
  return index === -1 ? undefined : { index, isLast: line.startsWith('--', found.length), line };
}
