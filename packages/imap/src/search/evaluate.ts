/**
 * Which messages fit a search program. What the columns answer comes first and narrows what the store has to look at; what
 * only the store can answer goes to it in as few queries as the tree allows.
 */
import {
  ascending,
  intersect,
  subtract,
  unite,
  type MailStore,
  type Query,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { searchByReading } from '@mail-server-kit/mime';
import type { SearchNode } from '../extension.ts';
import type { Rows } from '../rows.ts';
import type { View } from '../view.ts';
import type { SequenceSet } from '../wire/reader.ts';

export interface Searching {
  readonly store: MailStore;
  readonly view: View;
  /** The uids that a set means. */
  uidsOf(set: SequenceSet, uid: boolean): UidRanges;
}

/** The uids among `among` that fit; only those that are there. */
export async function evaluate(
  node: SearchNode,
  among: UidRanges,
  searching: Searching,
): Promise<UidRanges> {
  if (among.length === 0) return [];
  const { store, view } = searching;
  switch (node.kind) {
    case 'set':
      return intersect(among, searching.uidsOf(node.set, node.uid));
    case 'columns':
      return byRows(view, among, node.on(view));
    case 'query':
      return store.search
        ? store.search(view.snapshot, node.query, among)
        : searchByReading(store, view.snapshot, node.query, among);
    case 'not':
      return subtract(among, await evaluate(node.node, among, searching));
    case 'any': {
      let found: UidRanges = [];
      for (const one of ordered(node.nodes, 'any')) {
        found = unite(found, await evaluate(one, subtract(among, found), searching));
      }
      return found;
    }
    case 'all': {
      let left = among;
      for (const one of ordered(node.nodes, 'all')) left = await evaluate(one, left, searching);
      return left;
    }
  }
}

/** The cheap ones first, and all that goes to the store as one query. */
function ordered(nodes: readonly SearchNode[], kind: 'all' | 'any'): SearchNode[] {
  const cheap: SearchNode[] = [];
  const dear: SearchNode[] = [];
  const queries: Query[] = [];
  for (const node of nodes) {
    const query = asQuery(node);
    if (query) queries.push(query);
    else if (needsStore(node)) dear.push(node);
    else cheap.push(node);
  }
  if (queries.length === 0) return [...cheap, ...dear];
  const one =
    queries.length === 1
      ? (queries[0] as Query)
      : kind === 'all'
        ? { all: queries }
        : { any: queries };
  return [...cheap, { kind: 'query', query: one }, ...dear];
}

/** The node as one query of the store, if there is nothing in it that the store does not know. */
function asQuery(node: SearchNode): Query | undefined {
  switch (node.kind) {
    case 'query':
      return node.query;
    case 'not': {
      const inner = asQuery(node.node);
      return inner && { not: inner };
    }
    case 'all':
    case 'any': {
      if (node.nodes.length === 0) return undefined;
      const inner: Query[] = [];
      for (const one of node.nodes) {
        const query = asQuery(one);
        if (!query) return undefined;
        inner.push(query);
      }
      return node.kind === 'all' ? { all: inner } : { any: inner };
    }
    default:
      return undefined;
  }
}

function needsStore(node: SearchNode): boolean {
  if (node.kind === 'query') return true;
  if (node.kind === 'not') return needsStore(node.node);
  return (node.kind === 'all' || node.kind === 'any') && node.nodes.some(needsStore);
}

function byRows(view: View, among: UidRanges, fits: (rows: Rows) => boolean): UidRanges {
  const rows = view.rows(among);
  const found: Uid[] = [];
  while (rows.next()) if (fits(rows)) found.push(rows.uid);
  return ascending(found);
}
