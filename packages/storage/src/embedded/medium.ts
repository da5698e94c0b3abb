/** The journal as the place where a store keeps its commits and octets. */
import {
  MailError,
  type AccountId,
  type Stage,
  type StageId,
  type StageOptions,
} from '@mail-server-kit/core';
import type { StoreBlock } from '../state/block.ts';
import { goneWith, type Delta } from '../state/delta.ts';
import {
  someFacts,
  type Extent,
  type Kept,
  type Message,
  type Piece,
  type Pieces,
  type RecordBody,
} from '../state/pieces.ts';
import type { Medium, Planned } from '../state/medium.ts';
import {
  insideMessage,
  packMessage,
  packValue,
  unpackMessage,
  unpackRow,
  unpackValue,
} from './body-record.ts';
import { Cache, type CacheBudget } from './cache.ts';
import type { FactsIndex } from './facts.ts';
import type { Journal } from './journal.ts';
import { COMMIT, RECORD_HEADER, SEGMENT_HEADER, offsetAt, type RecordPart } from './layout.js';
import { packCommit } from './pack-commit.ts';
import { Packer } from './pack.ts';
import type { JournalReader } from './reader.ts';
import { settle } from './settle.ts';
import type { FreeSpace } from './space/free-space.ts';
import { INLINE_OCTETS, type Stages } from './stages.ts';
import type { Syncing } from './syncing.ts';
import { openBody, plainBody, sealBody } from './vault/body.ts';
import { TAG_OCTETS } from './vault/sealer.ts';
import type { KeyOwner, Vault } from './vault/vault.ts';

export interface JournalMediumOptions {
  readonly journal: Journal;
  readonly reader: JournalReader;
  readonly stages: Stages;
  readonly syncing: Syncing;
  /** For message records and small values. */
  readonly cache: CacheBudget;
  /** Of a store with an index. */
  readonly facts?: FactsIndex | undefined;
  readonly freeSpace: FreeSpace;
  /** A commit was taken. */
  readonly onCommit?: (deltas: readonly Delta[]) => void;
  /** After the last commit. */
  readonly close: () => Promise<void>;
  /** Undefined: nothing is encrypted. */
  readonly vault: Vault | undefined;
}

/** What a commit keeps. */
type Keeping = { readonly account: KeyOwner } & (
  { readonly message: Message } | { readonly body: RecordBody }
);

export class JournalMedium implements Medium {
  readonly holds = false;
  readonly sealed: boolean;
  readonly #options: JournalMediumOptions;
  /** Used again for each commit. */
  readonly #packer = new Packer(65_536);
  #messages: Cache<number, Message>;
  #values: Cache<number, RecordBody>;
  /** Of the commit that is being planned. Their rows say so by a place below zero: -1 is the first. */
  #kept: Keeping[] = [];

  constructor(options: JournalMediumOptions) {
    this.#options = options;
    this.sealed = options.vault !== undefined;
    this.#messages = new Cache(options.cache);
    this.#values = new Cache(options.cache);
    const { facts, reader, vault } = options;
    if (!facts) return;
    facts.read = ({ place, octets }) => insideMessage(reader.read(place, octets), vault);
  }

  begin(): void {
    this.#kept = [];
  }

  stageOctets(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StageOptions,
  ): Promise<Stage> {
    return this.#options.stages.take(octets, options);
  }

  discard(stage: StageId): void {
    this.#options.stages.discard(stage);
  }

  stage(id: StageId): Pieces | undefined {
    return this.#options.stages.get(id);
  }

  keep(message: Message, account: AccountId): Kept {
    return { place: -this.#kept.push({ message, account }), octets: 0 };
  }

  keepRecord(body: RecordBody, account: KeyOwner = ''): Kept {
    return { place: -this.#kept.push({ body, account }), octets: 0 };
  }

  message(block: StoreBlock, row: number): Message {
    const size = block.size[row] as number;
    // A small body lies in front of its message record, mostly: one read for both.
    const tag = this.sealed ? TAG_OCTETS : 0;
    return this.#message(block, row, size < INLINE_OCTETS ? size + tag : 0);
  }

  #message(block: StoreBlock, row: number, before: number): Message {
    const place = block.place[row] as number;
    if (place < 0) {
      const kept = this.#kept[-place - 1];
      if (kept && 'message' in kept) return kept.message;
      throw new Error('a message of another commit is still without a place');
    }
    const known = this.#messages.get(place);
    if (known) return known;
    const octets = block.placeOctets[row] as number;
    const within = Math.min(before, offsetAt(place) - SEGMENT_HEADER);
    const unpack = (bytes: Uint8Array) => unpackMessage(bytes, place, this.#options.vault);
    const message = this.#options.reader.parsed(place, octets, unpack, within);
    this.#messages.set(place, message, octets);
    return message;
  }

  facts(
    block: StoreBlock,
    row: number,
    { account, parts }: Parameters<Medium['facts']>[2],
  ): ReturnType<Medium['facts']> {
    const place = block.place[row] as number;
    const inside = this.#messages.get(place)
      ? undefined
      : this.#options.facts?.find(account, place);
    if (inside) return unpackRow(inside, parts);
    const { emailId, facts } = this.#message(block, row, 0);
    return { emailId, facts: someFacts(facts, parts) };
  }

  recordBody({ place, octets }: Kept): RecordBody {
    const known = this.#values.get(place);
    if (known) return known;
    const { reader, vault } = this.#options;
    const unpack = (bytes: Uint8Array) => unpackValue(bytes, place, vault);
    const body = reader.parsed(place, octets, unpack);
    this.#values.set(place, body, octets);
    return body;
  }

  async octets(piece: Piece): Promise<Uint8Array> {
    if (piece instanceof Uint8Array) return piece;
    const { key, octets, skip, take } = piece;
    const { reader } = this.#options;
    if (!key) return reader.extent(piece);
    const bytes = reader.extent({ ...piece, skip: 0, take: octets });
    return openBody({ key, bytes }, skip, take);
  }

  persist(
    planned: Planned,
    done: (error?: MailError) => void,
  ): { readonly lsn: number; readonly deltas: readonly Delta[] } | undefined {
    const { journal, freeSpace, vault } = this.#options;
    // What brings no octets is let through: clients delete by moving to Trash.
    if (this.#kept.length > 0) freeSpace.need();
    if (vault) makeKeys(vault, planned.deltas);
    const packer = this.#packer;
    packer.reset();
    const bodies: Body[] = [];
    const kept = this.#packKept(packer, bodies);
    const octets = packer.elsewhere - RECORD_HEADER + packer.length;
    const deltas = settle(planned.deltas, (place, octets) =>
      place < 0 ? (kept[-place - 1] as Kept) : { place, octets },
    );
    packCommit(packer, { ...planned, deltas }, vault);
    const { syncing } = this.#options;
    // Keys are destroyed for good once it counts that their accounts are gone.
    const sync = syncing.always || deltas.some(({ kind }) => kind === 'accountGone');
    const how = { sync, counts: true, freeing: isFreeing(deltas) };
    const options = { type: COMMIT, bodies: octets, ...how };
    let taken: { readonly lsn: number; readonly deltas: readonly Delta[] } | undefined;
    const counts = (error?: MailError) => {
      if (!error && taken && placed) this.#options.facts?.apply(taken.deltas, placed.place);
      done(error);
    };
    const landed = vault ? this.#destroying(vault, deltas, counts) : counts;
    const placed = journal.append(partsOf(packer, bodies), options, landed);
    if (!placed) return undefined;
    syncing.appended();
    this.#options.onCommit?.(deltas);
    taken = { lsn: placed.lsn, deltas: absolute(deltas, placed.place) };
    return taken;
  }

  /** Keys go when it is durable that their accounts are gone, and before anybody is told so. */
  #destroying(
    vault: Vault,
    deltas: readonly Delta[],
    done: (error?: MailError) => void,
  ): (error?: MailError) => void {
    const gone = goneWith(deltas);
    if (gone.length === 0) return done;
    return (error) => {
      if (!error) {
        vault.destroy(gone);
        this.#messages.clear();
        this.#values.clear();
      }
      done(error);
    };
  }

  /**
   * Bodies, each once however many messages have it and in front of the first that does, and the records that point to
   * them. Bodies are not copied: the packer only knows how many octets of the journal record they are. Places are minus the
   * offset in that, for where it will lie is decided when its length is known.
   */
  #packKept(packer: Packer, bodies: Body[]): Kept[] {
    const { vault } = this.#options;
    packer.elsewhere = RECORD_HEADER;
    const stored = new Map<Uint8Array, Extent>();
    const extents = ({ pieces }: Pieces) =>
      pieces.map((piece): Extent => {
        if (!(piece instanceof Uint8Array)) return piece;
        let extent = stored.get(piece);
        if (!extent) {
          const body = vault ? sealBody(piece) : plainBody(piece);
          const { octets, crc, key } = body;
          const place = -(packer.elsewhere + packer.length);
          for (const part of body.parts) bodies.push({ ...part, at: packer.length });
          packer.elsewhere += octets;
          extent = { place, octets, crc, skip: 0, take: piece.length };
          if (key) extent = { ...extent, key };
          stored.set(piece, extent);
        }
        return extent;
      });
    return this.#kept.map((each) => {
      const owner = { account: each.account, vault };
      let start: number;
      if ('message' in each) {
        start = packMessage(packer, each.message, extents(each.message), owner);
      } else {
        const { content } = each.body;
        start = packValue(packer, each.body, content ? extents(content) : [], owner);
      }
      return { place: -(start + packer.elsewhere), octets: packer.length - start };
    });
  }

  close(): Promise<void> {
    return this.#options.close();
  }
}

/** An account's key is on the disk before anything that it seals. @throws MailError UNAVAILABLE */
function makeKeys(vault: Vault, deltas: readonly Delta[]): void {
  for (const delta of deltas) {
    if (delta.kind === 'account') vault.create(delta.account);
  }
}

/** Deltas whose places are offsets below zero, with places in the journal. */
export const absolute = (deltas: readonly Delta[], record: number): readonly Delta[] =>
  settle(deltas, (place, octets) => ({ place: place < 0 ? record - place : place, octets }));

/** What makes room: it may use the last segment of a full disk. */
const isFreeing = (deltas: readonly Delta[]) =>
  deltas.every(({ kind }) => freeing.has(kind)) && deltas.some(({ kind }) => kind !== 'flags');

const freeing = new Set<Delta['kind']>([
  'expunge',
  'mailboxGone',
  'accountGone',
  'recordGone',
  'names',
  'flags',
]);

/** A body of a commit; `at`: what the packer had packed before it. */
interface Body extends RecordPart {
  readonly at: number;
}

/** The payload of a journal record: what was packed, and the bodies between. */
function partsOf(packer: Packer, bodies: readonly Body[]): RecordPart[] {
  const packed = packer.take();
  const parts: RecordPart[] = [];
  let from = 0;
  for (const body of bodies) {
    if (body.at > from) parts.push({ bytes: packed.subarray(from, body.at) });
    parts.push(body);
    from = body.at;
  }
  parts.push({ bytes: packed.subarray(from) });
  return parts;
}
