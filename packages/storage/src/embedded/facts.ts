/**
 * Facts of messages in blocks of 64, in the order in which they came to an account. In the journal a body lies between two of
 * them, so that a FETCH of 10,000 envelopes would read all of these. A message is looked up by the place of its message
 * record, which copies share and which never changes. What is not here, the newest and what is damaged, is in the journal.
 */
import { isMailError, lowerBound, type AccountId, type Log } from '@mail-server-kit/core';
import type { Delta } from '../state/delta.ts';
import { Cache, type CacheBudget } from './cache.ts';
import { OddIndex, seal, unseal } from './pack-index.ts';
import { UnpackError, Unpacker, type Packer } from './pack.ts';
import type { Vault } from './vault/vault.ts';

/** Messages in a block. */
const BLOCK = 64;

/** Key of a block: the length keeps accounts apart whose names begin alike. */
export const factsKey = (account: AccountId, first: number): string =>
  `f/${account.length}:${account}/${first.toString(36).padStart(11, '0')}`;

interface Entry {
  readonly place: number;
  readonly octets: number;
}

interface Known {
  /** The first place of each block, ascending. */
  readonly firsts: number[];
  /** Message records that are in no block yet, ascending. */
  readonly waiting: Entry[];
  /** How many have ever come, and how many of these are in blocks. */
  came: number;
  packed: number;
}

interface FactBlock {
  readonly places: readonly number[];
  /** Where each begins in `bytes`, and where the last one ends. */
  readonly starts: readonly number[];
  readonly bytes: Uint8Array;
}

/** What a checkpoint takes along. */
export interface DueFacts {
  /** By account: how many had come. */
  readonly came: ReadonlyMap<AccountId, number>;
  /** Keys of blocks that nobody needs any more. */
  readonly gone: readonly string[];
}

export interface FactsOptions {
  readonly cache: CacheBudget;
  readonly log: Log;
  /** A value, of one index after the other. @throws MailError UNAVAILABLE once they are closed */
  readonly get: (key: string) => Iterable<Uint8Array | undefined>;
}

export class FactsIndex {
  readonly #options: FactsOptions;
  readonly #blocks: Cache<number, FactBlock>;
  readonly #accounts = new Map<AccountId, Known>();
  #changed = new Set<AccountId>();
  #gone: string[] = [];
  vault: Vault | undefined;
  /** What is inside a message record of the journal. @throws MailError CORRUPTION, EXPUNGED */
  read: (entry: Entry) => Uint8Array = () => new Uint8Array();

  constructor(options: FactsOptions) {
    this.#options = options;
    this.#blocks = new Cache(options.cache);
  }

  #known(account: AccountId): Known {
    let known = this.#accounts.get(account);
    if (!known) {
      known = { firsts: [], waiting: [], came: 0, packed: 0 };
      this.#accounts.set(account, known);
    }
    return known;
  }

  /** A commit is durable. `record`: where it lies: rows that lie behind are new, others are copies. */
  apply(deltas: readonly Delta[], record: number): void {
    for (const delta of deltas) {
      if (delta.kind === 'accountGone') this.#forget(delta.account);
      if (delta.kind !== 'rows') continue;
      const { place, placeOctets } = delta.rows;
      for (let i = 0; i < place.length; i++) {
        if ((place[i] as number) < record) continue;
        const known = this.#known(delta.account);
        // A copy of what came with the same commit: places only ever go up.
        if ((place[i] as number) <= (known.waiting.at(-1)?.place ?? 0)) continue;
        known.waiting.push({ place: place[i] as number, octets: placeOctets[i] as number });
        known.came++;
        this.#changed.add(delta.account);
      }
    }
  }

  #forget(account: AccountId): void {
    for (const first of this.#accounts.get(account)?.firsts ?? []) {
      this.#gone.push(factsKey(account, first));
    }
    this.#accounts.delete(account);
    this.#changed.add(account);
    this.#blocks.clear();
  }

  /** The message record at `place`, from where its contents begin; undefined: it is not here. */
  find(account: AccountId, place: number): Unpacker | undefined {
    const firsts = this.#accounts.get(account)?.firsts ?? [];
    const at = lowerBound(firsts, place + 1) - 1;
    const first = firsts[at];
    if (first === undefined) return undefined;
    let block = this.#blocks.get(first);
    if (!block) {
      block = this.#load(account, first);
      if (!block) {
        firsts.splice(at, 1);
        this.#changed.add(account);
        return undefined;
      }
      this.#blocks.set(first, block, block.bytes.length);
    }
    const row = lowerBound(block.places, place);
    if (block.places[row] !== place) return undefined;
    return new Unpacker(block.bytes, block.starts[row] as number, block.starts[row + 1] as number);
  }

  /** Undefined: it is damaged, which costs time and nothing else. */
  #load(account: AccountId, first: number): FactBlock | undefined {
    const key = factsKey(account, first);
    let odd: unknown;
    for (const bytes of this.#options.get(key)) {
      try {
        if (!bytes) throw new OddIndex(`${key} is missing`);
        return unpackFacts(unseal(key, bytes, this.vault).from);
      } catch (error) {
        if (!(error instanceof OddIndex || error instanceof UnpackError)) throw error;
        odd ??= error;
      }
    }
    const event = 'facts are read from the journal';
    this.#options.log({ level: 'warn', service: 'storage', event, error: odd });
    return undefined;
  }

  /** What has changed since the last call. */
  take(): DueFacts {
    const came = new Map<AccountId, number>();
    for (const account of this.#changed) came.set(account, this.#accounts.get(account)?.came ?? 0);
    const gone = this.#gone;
    this.#changed = new Set();
    this.#gone = [];
    return { came, gone };
  }

  /** Blocks of what has come up to `came`, as values. They are known once `settle` was called. */
  *pack(
    account: AccountId,
    came: number,
    lsn: number,
  ): Generator<{ readonly key: string; readonly value: Uint8Array }> {
    const { waiting, packed } = this.#known(account);
    const count = Math.floor((came - packed) / BLOCK) * BLOCK;
    for (let at = 0; at < count; at += BLOCK) {
      // Destroyed meanwhile: what is packed without it needs no key.
      if (this.vault && !this.vault.has(account)) return;
      const entries = waiting.slice(at, at + BLOCK);
      const { place: first } = entries[0] as Entry;
      const key = factsKey(account, first);
      const parts = entries.flatMap((entry) => this.#part(entry) ?? []);
      const octets = parts.reduce((sum, { bytes }) => sum + bytes.length, 1024);
      const pack = (to: Packer) => packFacts(to, parts);
      const { bytes } = seal({ key, account, lsn }, pack, { vault: this.vault, octets });
      yield { key, value: bytes };
    }
  }

  /** The blocks of what has come up to `came` are on disk. */
  settle(account: AccountId, came: number): void {
    const known = this.#accounts.get(account);
    if (!known) return;
    const count = Math.max(0, Math.floor((came - known.packed) / BLOCK) * BLOCK);
    const packed = known.waiting.splice(0, count);
    known.packed += count;
    for (let at = 0; at < count; at += BLOCK) known.firsts.push((packed[at] as Entry).place);
  }

  #part(entry: Entry): Part[] {
    try {
      return [{ place: entry.place, bytes: this.read(entry) }];
    } catch (error) {
      // It has gone meanwhile, or whoever asks for it hears of it.
      if (isMailError(error, 'CORRUPTION', 'EXPUNGED')) return [];
      throw error;
    }
  }

  /** Which blocks there are, and what waited when `came` had come. Undefined: nothing. */
  list(account: AccountId, came: number): ((to: Packer) => void) | undefined {
    const known = this.#accounts.get(account);
    if (!known) return undefined;
    const waiting = known.waiting.slice(0, Math.max(0, came - known.packed));
    return (to) => {
      packPlaces(to, known.firsts);
      packPlaces(
        to,
        waiting.map(({ place }) => place),
      );
      for (const { octets } of waiting) to.varint(octets);
    };
  }

  /** After a start. */
  adopt(account: AccountId, from: Unpacker): void {
    const firsts = unpackPlaces(from);
    const waiting = unpackPlaces(from).map((place) => ({ place, octets: from.varint() }));
    this.#accounts.set(account, { firsts, waiting, came: waiting.length, packed: 0 });
  }

  /** The index is made anew. */
  reset(): void {
    this.#accounts.clear();
  }
}

interface Part {
  readonly place: number;
  readonly bytes: Uint8Array;
}

function packFacts(to: Packer, parts: readonly Part[]): void {
  let last = 0;
  to.list(parts, ({ place, bytes }) => {
    to.varint(place - last);
    to.varint(bytes.length);
    last = place;
  });
  for (const { bytes } of parts) to.raw(bytes);
}

function unpackFacts(from: Unpacker): FactBlock {
  const places: number[] = [];
  const starts: number[] = [];
  let place = 0;
  let end = 0;
  for (let left = from.varint(); left > 0; left--) {
    places.push((place += from.varint()));
    starts.push(end);
    end += from.varint();
  }
  starts.push(end);
  return { places, starts, bytes: from.raw(end) };
}

function packPlaces(to: Packer, places: readonly number[]): void {
  let last = 0;
  to.list(places, (place) => {
    to.varint(place - last);
    last = place;
  });
}

function unpackPlaces(from: Unpacker): number[] {
  let last = 0;
  return from.list(() => (last += from.varint()));
}
