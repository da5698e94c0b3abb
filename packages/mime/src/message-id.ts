/** Message ids (RFC 5322 section 3.6.4), normalised as THREAD=REFERENCES wants them (RFC 5256 section 3). */
import { Tokens } from './tokens.ts';

/** More references than this are no thread; the last ones are the nearest ancestors. */
const MAX_REFERENCES = 200;

/**
 * All ids of a References, In-Reply-To or Message-ID field, without angle brackets, quoting and inner white space, each
 * once. What is not in angle brackets is passed over.
 */
export function parseMessageIds(value: string): readonly string[] {
  const ids = new Set<string>();
  for (let start = value.indexOf('<'); start !== -1; start = value.indexOf('<', start + 1)) {
    const end = value.indexOf('>', start);
    if (end === -1) break;
    // `<a <b@c>`: the inner one counts.
    const from = value.lastIndexOf('<', end);
    const id = normalise(value.slice(from + 1, end));
    if (id !== '') ids.add(id);
    start = end;
  }
  const all = [...ids];
  return all.length > MAX_REFERENCES ? all.slice(-MAX_REFERENCES) : all;
}

/** `"a"@b` and `a@b` are the same id. */
function normalise(text: string): string {
  const tokens = new Tokens(text);
  tokens.skip();
  const left = tokens.localPart();
  if (left !== undefined && tokens.take('@')) {
    const right = tokens.domain();
    if (right !== undefined && tokens.done) return `${left}@${right}`;
  }
  // Against the syntax, and therefore compared as it is.
  return Array.from(text, (char) => (char <= ' ' ? '' : char)).join('');
}

/** In-Reply-To is used only where References says nothing; of its ids the first (RFC 5256 section 3, step 1). */
export function referencesOf(references: string, inReplyTo: string): readonly string[] {
  const ids = parseMessageIds(references);
  return ids.length > 0 ? ids : parseMessageIds(inReplyTo).slice(0, 1);
}
