/** Which octets of some segments are still needed, exactly: by rows of mailboxes, records, and uploads under way. */
import type { Extent, Kept, Piece } from '../../state/pieces.ts';
import type { MailboxState } from '../../state/mailbox.ts';
import type { World } from '../../state/world.ts';
import { unpackMessage, unpackValue } from '../body-record.ts';
import { offsetAt, segmentAt } from '../layout.js';
import type { JournalReader } from '../reader.ts';
import type { Vault } from '../vault/vault.ts';
import type { Pace } from './pace.ts';

/** Ranges of octets of a segment, in no order; they may overlap. */
export class Ranges {
  #starts = new Float64Array(256);
  #ends = new Float64Array(256);
  #count = 0;

  add(start: number, octets: number): void {
    if (this.#count === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = start + octets;
  }

  /** Ascending and apart; what lies closer than two alignments is one. */
  merged(): [start: number, end: number][] {
    const order = Array.from({ length: this.#count }, (_, index) => index);
    order.sort((a, b) => (this.#starts[a] as number) - (this.#starts[b] as number));
    const out: [number, number][] = [];
    for (const index of order) {
      const start = this.#starts[index] as number;
      const end = this.#ends[index] as number;
      const last = out.at(-1);
      if (last && start <= last[1]) last[1] = Math.max(last[1], end);
      else out.push([start, end]);
    }
    return out;
  }
}

function grown(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Message records and values that have to be looked at, by segment. */
interface Places {
  readonly messages: Map<number, number>;
  readonly values: Map<number, number>;
}

export interface MarkOptions {
  readonly world: World;
  readonly reader: JournalReader;
  /** Pieces of what is being received, or waits for a commit. */
  readonly staged: () => Iterable<Piece>;
  readonly pace: Pace;
  readonly vault: Vault | undefined;
}

/**
 * `chosen`: segments to be marked. `looked`: those whose message records may point into them, themselves among these.
 * Everything that is there now is taken at this moment: what comes later can only be made of it, or lies in later segments.
 * @throws MailError CORRUPTION if a message record is damaged
 */
export async function mark(
  chosen: ReadonlySet<number>,
  looked: (segment: number) => boolean,
  { world, reader, staged, pace, vault }: MarkOptions,
): Promise<ReadonlyMap<number, Ranges>> {
  const ranges = new Map([...chosen].map((segment) => [segment, new Ranges()]));
  const note = (place: number, octets: number) =>
    ranges.get(segmentAt(place))?.add(offsetAt(place), octets);
  const noteAll = (pieces: readonly Piece[]) => {
    for (const piece of pieces) if (isExtent(piece)) note(piece.place, piece.octets);
  };
  for (const piece of staged()) noteAll([piece]);
  const values = new Map<number, number>();
  for (const { place, octets } of recordsOf(world)) {
    if (looked(segmentAt(place))) values.set(place, octets);
  }
  const messages = await messagesOf(mailboxesOf(world), looked, pace);
  for (const [place, octets] of inOrder(messages)) {
    note(place, octets);
    noteAll(unpackMessage(reader.read(place, octets), place, vault).pieces);
    await pace.spend(octets);
  }
  for (const [place, octets] of inOrder(values)) {
    note(place, octets);
    noteAll(unpackValue(reader.read(place, octets), place, vault).content?.pieces ?? []);
    await pace.spend(octets);
  }
  return ranges;
}

const isExtent = (piece: Piece): piece is Extent => !(piece instanceof Uint8Array);

const inOrder = (places: Places['messages']) => [...places].sort(([a], [b]) => a - b);

/** Readers see one state, the next commit is planned on the other. */
function mailboxesOf({ mailboxes }: World): MailboxState[] {
  const states: MailboxState[] = [];
  for (const { head, durable } of mailboxes.values()) {
    if (durable) states.push(durable);
    if (head && head !== durable) states.push(head);
  }
  return states;
}

function* recordsOf({ spaces }: World): Generator<Kept> {
  for (const { cells } of spaces.values()) {
    for (const { head, durable } of cells.values()) {
      if (durable && !durable.gone) yield durable.kept;
      if (head && head !== durable && !head.gone) yield head.kept;
    }
  }
}

async function messagesOf(
  states: readonly MailboxState[],
  looked: (segment: number) => boolean,
  pace: Pace,
): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const { blocks } of states) {
    for (const block of blocks) {
      const { place, placeOctets } = block;
      for (let i = 0; i < place.length; i++) {
        const at = place[i] as number;
        if (looked(segmentAt(at))) found.set(at, placeOctets[i] as number);
      }
      await pace.spend(0);
    }
  }
  return found;
}

/**
 * About how many octets of each segment are needed: message records, and a body for each of them that no neighbour shares.
 * One pass over all rows, and no message is read.
 */
export async function survey(world: World, pace: Pace): Promise<Map<number, number>> {
  const bySegment = new Map<number, Map<number, { octets: number; size: number }>>();
  for (const { blocks } of mailboxesOf(world)) {
    for (const block of blocks) {
      const { place, placeOctets, size } = block;
      for (let i = 0; i < place.length; i++) {
        const at = place[i] as number;
        const segment = segmentAt(at);
        let places = bySegment.get(segment);
        if (!places) bySegment.set(segment, (places = new Map()));
        places.set(at, { octets: placeOctets[i] as number, size: size[i] as number });
      }
      await pace.spend(0);
    }
  }
  const live = new Map<number, number>();
  for (const [segment, places] of bySegment) {
    let sum = 0;
    let next = -1;
    let before = -1;
    for (const [at, { octets, size }] of [...places].sort(([a], [b]) => a - b)) {
      // Message records of one commit that share a body follow each other without one between.
      sum += octets + (at === next && size === before ? 0 : size);
      next = at + octets;
      before = size;
    }
    live.set(segment, sum);
    await pace.spend(0);
  }
  for (const { place, octets } of recordsOf(world)) {
    const segment = segmentAt(place);
    live.set(segment, (live.get(segment) ?? 0) + octets);
  }
  return live;
}
