/** The base subject (RFC 5256 section 2.1), by which SORT and THREAD=ORDEREDSUBJECT compare. */
import { decodeEncodedWords } from './encoded-words.ts';
import { collapse } from './header.ts';

export interface BaseSubject {
  readonly text: string;
  /** Something said that it is a reply or forward (RFC 5256 section 3, REFERENCES step 5). */
  readonly isReply: boolean;
}

/** `subject`: as in the header, one character per octet. */
export function baseSubject(subject: string): BaseSubject {
  // Step 1: to text, white space to one space.
  let text = collapse(decodeEncodedWords(collapse(subject)));
  let isReply = false;
  for (;;) {
    // Step 2: trailers.
    for (let end = trailerStart(text); end !== -1; end = trailerStart(text)) {
      if (text.charAt(end) !== ' ') isReply = true;
      text = text.slice(0, end);
    }
    // Steps 3 to 5: leaders, then blobs that are not all there is.
    for (let leader = leaderEnd(text); leader > 0; leader = leaderEnd(text)) {
      if (text.charAt(0) !== ' ') isReply = true;
      text = text.slice(leader);
    }
    // No leader comes to light behind a blob: it would have begun with that blob. To ask again would be quadratic.
    for (let blob = blobEnd(text, 0); blob > 0 && blob < text.length; blob = blobEnd(text, 0)) {
      text = text.slice(blob);
    }
    // Step 6: `[fwd: ...]`, then all again.
    if (!(/^\[fwd:/i.test(text) && text.endsWith(']'))) return { text, isReply };
    isReply = true;
    text = text.slice(5, -1);
  }
}

/** Where a `subj-trailer` begins, -1 if there is none. */
function trailerStart(text: string): number {
  if (text.endsWith(' ')) return text.length - 1;
  return /\(fwd\)$/i.test(text.slice(-5)) ? text.length - 5 : -1;
}

/** Behind a `subj-leader`: `*subj-blob subj-refwd` or a space. 0 if there is none. */
function leaderEnd(text: string): number {
  if (text.startsWith(' ')) return 1;
  let at = 0;
  for (let next = blobEnd(text, at); next > at; next = blobEnd(text, at)) at = next;
  const word = /^(?:re|fwd?)/i.exec(text.slice(at, at + 3));
  if (!word) return 0;
  at += word[0].length;
  while (text.charAt(at) === ' ') at++;
  at = blobEnd(text, at);
  return text.charAt(at) === ':' ? at + 1 : 0;
}

/** Behind a `subj-blob` (`[...]` and spaces) that begins at `at`; `at` if none does. */
function blobEnd(text: string, at: number): number {
  if (text.charAt(at) !== '[') return at;
  for (let end = at + 1; end < text.length; end++) {
    const char = text.charAt(end);
    if (char === '[') return at;
    if (char !== ']') continue;
    end++;
    while (text.charAt(end) === ' ') end++;
    return end;
  }
  return at;
}
