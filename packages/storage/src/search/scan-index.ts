/** A search through the index of one account. */
import { lowerBound } from '@mail-server-kit/core';
import type { AccountFiles } from './account-files.ts';
import type { Candidate, Compiled } from './compile.ts';
import type { Entry } from './entry.ts';

/**
 * Messages to look at: uids, where each lies, and marks (rows.ts). A place may be there more than once, and in any order.
 */
export interface Wanted {
  readonly uids: Uint32Array;
  readonly places: Float64Array;
  readonly marks: Uint32Array;
}

export interface Found {
  readonly uids: number[];
  /** What is not in the index. */
  readonly unread: number[];
}

/** `turn` is awaited between blocks, so that others get theirs. @throws Damaged */
export async function scanIndex(
  files: AccountFiles,
  compiled: Compiled,
  wanted: Wanted,
  turn: () => Promise<void>,
): Promise<Found> {
  const { uids, places, marks } = sorted(wanted);
  const seen = new Uint8Array(places.length);
  const found: number[] = [];
  let next = 0;
  /** Index of a place in `places`, or -1. What is indexed lies mostly in the order of its places. */
  const find = (place: number) => {
    if (places[next] !== place) next = lowerBound(places, place);
    return places[next] === place ? next++ : -1;
  };
  const hit = (at: number) => {
    const place = places[at];
    for (let i = at; places[i] === place; i++) found.push(uids[i] as number);
  };
  for (const entry of files.entries()) {
    /** Of documents that are looked for, and where they are in `places`. */
    const rows: number[] = [];
    const at: number[] = [];
    const all = compiled.test(entry.whole);
    for (let i = 0; i < entry.documents; i++) {
      const index = find(entry.places[i] as number);
      if (index === -1 || seen[index] || marks[index] !== entry.marks[i]) continue;
      for (let same = index; places[same] === places[index]; same++) seen[same] = 1;
      if (all === true) hit(index);
      else if (all === undefined) {
        rows.push(i);
        at[i] = index;
      }
    }
    if (rows.length > 0) decide(files, entry, compiled, rows, (i) => hit(at[i] as number));
    await turn();
  }
  const unread: number[] = [];
  for (let i = 0; i < seen.length; i++) if (!seen[i]) unread.push(uids[i] as number);
  return { uids: found, unread };
}

function sorted(wanted: Wanted): Wanted {
  const { uids, places, marks } = wanted;
  let ascending = true;
  for (let i = 1; i < places.length && ascending; i++) {
    ascending = (places[i - 1] as number) <= (places[i] as number);
  }
  if (ascending) return wanted;
  const order = Uint32Array.from(places, (_, i) => i).sort(
    (a, b) => (places[a] as number) - (places[b] as number),
  );
  return {
    uids: Uint32Array.from(order, (i) => uids[i] as number),
    places: Float64Array.from(order, (i) => places[i] as number),
    marks: Uint32Array.from(order, (i) => marks[i] as number),
  };
}

/** By what the catalog says, by the header, by all of the text: as far as the query can be answered by it. */
function decide(
  files: AccountFiles,
  entry: Entry,
  { test, needsRow, needsHeader }: Compiled,
  rows: readonly number[],
  hit: (i: number) => void,
): void {
  let left = needsRow ? decideWith(entry, test, rows, {}, hit) : rows;
  if (left.length === 0) return;
  const headers = files.texts(entry, 'header');
  if (needsHeader) left = decideWith(entry, test, left, { headers }, hit);
  if (left.length === 0) return;
  const rests = files.texts(entry, 'rest');
  decideWith(entry, test, left, { headers, rests }, hit);
}

/** Those that are still undecided. */
function decideWith(
  entry: Entry,
  test: Compiled['test'],
  undecided: readonly number[],
  { headers, rests }: { readonly headers?: Buffer; readonly rests?: Buffer },
  hit: (i: number) => void,
): number[] {
  const left: number[] = [];
  let header = 0;
  let rest = 0;
  let next = 0;
  entry.each((candidate: Candidate, i) => {
    const [headerEnd, restEnd] = [header + entry.headerOctets(i), rest + entry.restOctets(i)];
    if (i === undecided[next]) {
      next++;
      candidate.header = headers?.subarray(header, headerEnd);
      candidate.rest = rests?.subarray(rest, restEnd);
      const decided = test(candidate);
      if (decided) hit(i);
      else if (decided === undefined) left.push(i);
      candidate.header = candidate.rest = undefined;
    }
    [header, rest] = [headerEnd, restEnd];
  });
  return left;
}
