/** Case folding for search: i;unicode-casemap (RFC 5051). */

/** Changes whenever `foldText` or `searchText` give another result for the same input. */
export const FOLD_VERSION = 1;

/**
 * Each character to titlecase (the simple mapping of UnicodeData.txt), then decomposed as far as it goes, compatibility
 * included (RFC 5051 section 2). Nothing is reordered: the folding of a substring is a substring of the folding.
 */
export function foldText(text: string): string {
  return text.replace(/[\0-\x7f]+|[^\0-\x7f]/gu, foldRun);
}

/** More than the letters of a few languages is no use, and somebody might send all of Unicode. */
const MAX_FOLDED = 20_000;
const folded = new Map<string, string>();

function foldRun(run: string): string {
  if (run.charCodeAt(0) < 128) return run.toUpperCase();
  let fold = folded.get(run);
  if (fold === undefined) {
    fold = titlecase(run).normalize('NFKD');
    if (folded.size >= MAX_FOLDED) folded.clear();
    folded.set(run, fold);
  }
  return fold;
}

/** What `toUpperCase` does not give: it maps a few characters to several, and digraphs to two capitals. */
function titlecase(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  // DŽ LJ NJ DZ: three forms each, the middle one is the titlecase.
  if (code >= 0x1c4 && code <= 0x1cc) return String.fromCodePoint(code - ((code - 0x1c4) % 3) + 1);
  if (code >= 0x1f1 && code <= 0x1f3) return '\u01f2';
  // Greek with iota below.
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCodePoint(code + 9);
  // Georgian is written without capitals; each letter is its own titlecase.
  if (code >= 0x10d0 && code <= 0x10ff) return char;
  const upper = char.toUpperCase();
  return [...upper].length === 1 ? upper : char;
}
