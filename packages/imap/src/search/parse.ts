/** A search program as a tree (RFC 9051 section 9, `search-program`). */
import type { Dialect } from '../dialect.ts';
import type { SearchExtra, SearchNode } from '../extension.ts';
import type { ImapLimits } from '../limits.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';
import { readCharset, readText } from './charset.ts';

export interface SearchProgram {
  readonly node: SearchNode;
  readonly extras: readonly SearchExtra[];
  /** False: nobody can tell what its texts mean. */
  readonly knownCharset: boolean;
}

export function readProgram(
  read: Reader,
  { dialect, limits }: { dialect: Dialect; limits: ImapLimits },
): SearchProgram {
  const extras = new Set<SearchExtra>();
  let count = 0;

  const knownCharset = readCharset(read);
  // The depth of NOT, OR and parentheses alike is counted by `nested`.
  const key = (): SearchNode => read.nested(one);
  const parsing = {
    key,
    text: knownCharset ? readText : (reader: Reader): string => reader.astring(),
    tell: (extra: SearchExtra): void => void extras.add(extra),
  };

  function one(): SearchNode {
    if (++count > limits.searchKeys) throw new Problem('Too many search keys', 'LIMIT');
    if (read.next === '(') return { kind: 'all', nodes: read.list(key) };
    if (read.atSequenceSet) return { kind: 'set', set: read.sequenceSet(), uid: false };
    const name = read.keyword('a search key');
    const row = dialect.searchKeys.get(name);
    if (!row) throw new Problem(`Unknown search key ${name.slice(0, 32)}`);
    return row.parse(read, parsing);
  }

  const nodes: SearchNode[] = [];
  do nodes.push(key());
  while (read.skip(' '));
  read.end();
  const node: SearchNode = nodes.length === 1 ? (nodes[0] as SearchNode) : { kind: 'all', nodes };
  return { node, extras: [...extras], knownCharset };
}
