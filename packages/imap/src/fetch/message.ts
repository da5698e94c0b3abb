/** The message that FETCH items are written for. */
import type { Row, Uid } from '@mail-server-kit/core';
import { decodeStructure, FACTS_VERSION, factsOf, type PartTree } from '@mail-server-kit/mime';
import type { FetchMessage } from '../extension.ts';
import type { Respond } from '../respond.ts';
import type { Rows } from '../rows.ts';
import type { Session } from '../session.ts';
import type { View } from '../view.ts';

/** One object for all messages of a command; `rows` is moved on and `take` called for each. */
export class CurrentMessage implements FetchMessage {
  readonly view: View;
  #facts: Row['facts'] | undefined;
  #structure: PartTree | undefined;
  #octets: { start: number; end: number; octets: Promise<Buffer> } | undefined;

  constructor(
    readonly session: Session<'selected'>,
    readonly rows: Rows,
    readonly respond: Respond,
  ) {
    this.view = session.view;
  }

  /** Goes on to the row of facts that belongs to where `rows` stands. */
  take(row: Row | undefined): Promise<void> | void {
    this.#structure = undefined;
    this.#octets = undefined;
    this.#facts = row?.facts;
    if (row && row.facts.version !== FACTS_VERSION) return this.#scanAgain();
  }

  /** Its facts were kept by another version of the scanner. */
  async #scanAgain(): Promise<void> {
    this.#facts = await factsOf(this.stream(0, Infinity));
  }

  get facts(): Row['facts'] {
    if (!this.#facts) throw new TypeError('no facts were asked for');
    return this.#facts;
  }

  get structure(): PartTree {
    const { structure } = this.facts;
    if (!structure) throw new TypeError('the structure was not asked for');
    return (this.#structure ??= decodeStructure(structure));
  }

  octets(start: number, end: number): Promise<Buffer> {
    const known = this.#octets;
    if (known && known.start === start && known.end === end) return known.octets;
    const octets = gather(this.stream(start, end));
    this.#octets = { start, end, octets };
    return octets;
  }

  stream(start: number, end: number): AsyncIterable<Uint8Array> {
    const { session, view, rows } = this;
    const source = { snapshot: view.snapshot, uid: rows.uid as Uid };
    return session.store.read(source, start, end === Infinity ? undefined : end);
  }
}

async function gather(octets: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of octets) parts.push(part);
  const [only] = parts;
  if (only && parts.length === 1) return Buffer.from(only.buffer, only.byteOffset, only.length);
  return Buffer.concat(parts);
}
