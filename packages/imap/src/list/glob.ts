/**
 * The wildcards of LIST (RFC 9051 section 6.3.9): `*` is anything, `%` anything within one level. All positions of the
 * pattern that fit so far are carried along the name, so the time is at most one step for each pair of their characters,
 * however many wildcards there are.
 */
import { DELIMITER } from '../list-entry.ts';

export type Glob = (name: string) => boolean;

export function glob(pattern: string): Glob {
  const tokens = [...simplified(pattern)];
  const wild = tokens.findIndex((token) => token === '*' || token === '%');
  if (wild < 0) return (name) => name === pattern;
  const fixed = tokens.slice(0, wild).join('');
  return (name) => name.startsWith(fixed) && matches(tokens, name);
}

/** `%*` and `**` mean no more than `*`, `%%` no more than `%`. */
function simplified(pattern: string): string {
  let out = '';
  for (let i = 0; i < pattern.length;) {
    let end = i;
    while (pattern[end] === '*' || pattern[end] === '%') end++;
    const run = pattern.slice(i, end);
    if (run !== '') out += run.includes('*') ? '*' : '%';
    else out += pattern[end++];
    i = end;
  }
  return out;
}

function matches(tokens: readonly string[], name: string): boolean {
  let states = new Set<number>();
  enter(states, tokens, 0);
  for (const character of name) {
    const next = new Set<number>();
    for (const state of states) {
      const token = tokens[state];
      if (token === '*' || (token === '%' && character !== DELIMITER)) enter(next, tokens, state);
      else if (token === character) enter(next, tokens, state + 1);
    }
    if (next.size === 0) return false;
    states = next;
  }
  return states.has(tokens.length);
}

/** A wildcard may also stand for nothing. */
function enter(states: Set<number>, tokens: readonly string[], state: number): void {
  for (let at = state; !states.has(at); at++) {
    states.add(at);
    if (tokens[at] !== '*' && tokens[at] !== '%') return;
  }
}
