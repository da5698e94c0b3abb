/**
 * What was asked of the store and what it answered, beside the model: the commits that are under way in their order, and
 * what the model makes of each. A difference ends the simulation.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  isMailError,
  type Commit,
  type AccountId,
  type Cursor,
  type StageId,
  type Write,
} from '@mail-server-kit/core';
import { Refusal, changeLine, commitTo, type Outcome } from './model.ts';
import { emptyWorld, recordName, type ModelRecord, type ModelWorld } from './model-world.ts';

/** The store did what it must not. */
export class Difference extends Error {
  override readonly name = 'Difference';
}

export interface Entry {
  readonly number: number;
  readonly writes: readonly Write[];
  readonly id: string | undefined;
  readonly at: number;
  expected: Outcome | Refusal;
  /** Nobody knows whether it was made: the store said so. */
  unknown: boolean;
}

/** A commit that is durable, with what the stream has to tell of it. */
export interface Told {
  readonly cursor: Cursor;
  readonly at: number;
  readonly changes: ReadonlySet<string>;
}

export interface First {
  readonly at: number;
  readonly results: Commit['results'];
  readonly cursor: Cursor | undefined;
  readonly writes: readonly Write[];
  /** Whom it is of. */
  readonly owners: readonly AccountId[];
  /** Nobody was told: then versions of records may be others. */
  readonly untold?: true;
}

export class Ledger {
  /** What everybody sees. */
  durable: ModelWorld;
  /** Oldest first. */
  readonly pending: Entry[] = [];
  readonly history: Told[] = [];
  /** Results by id. */
  readonly firsts = new Map<string, First>();
  /** What is staged in the store that is open. */
  readonly stages = new Map<StageId, Buffer>();
  #number = 0;
  #life = 0;
  #last = 0;
  /** What was acknowledged and may be lost when the power goes, oldest first; and how all was before. */
  readonly #unsure: { readonly entry: Entry; readonly before: Moment }[] = [];
  /** Records put by commits that nobody was told of. */
  #untold = new Set<string>();

  constructor(
    readonly now: () => number,
    /** Faults that explain a refusal without a reason of the model's. */
    readonly troubled: () => boolean,
    readonly trace: (line: string) => void,
    /** How the store is set up. */
    readonly how: { readonly encrypted: boolean; readonly always: boolean },
  ) {
    this.durable = { ...emptyWorld, sealed: how.encrypted };
  }

  /** What the next commit is planned on. */
  get head(): ModelWorld {
    for (let i = this.pending.length; i-- > 0;) {
      const { expected } = this.pending[i] as Entry;
      if (!(expected instanceof Refusal)) return expected.world;
    }
    return this.durable;
  }

  /** Cursor of the last commit that is known to be durable. */
  get cursor(): Cursor | 'start' {
    return this.history.at(-1)?.cursor ?? 'start';
  }

  async submit(
    writes: readonly Write[],
    id: string | undefined,
    commit: () => Promise<Commit>,
  ): Promise<Commit> {
    const life = this.#life;
    const first = id === undefined ? undefined : this.firsts.get(id);
    const twin = first
      ? undefined
      : this.pending.find((entry) => entry.id === id && id !== undefined);
    const entry: Entry = {
      number: ++this.#number,
      ...{ writes, id, at: this.now(), unknown: false },
      expected: first || twin ? nothing : this.#expect(writes),
    };
    if (!first && !twin) this.pending.push(entry);
    const answer = (text: string) => {
      if (life === this.#life) this.trace(`#${entry.number} ${text}`);
    };
    this.trace(`#${entry.number}${id === undefined ? '' : ` (id ${id})`} ${linesOf(writes)}`);
    try {
      const done = await commit();
      answer(`is durable at ${done.cursor}`);
      if (life === this.#life) {
        if (first) this.#isFirst(entry, done, first);
        else if (!twin) this.#isDone(entry, done);
        this.#useUp(writes);
      }
      return done;
    } catch (error) {
      if (error instanceof Difference) throw error;
      answer(String(error));
      if (life === this.#life && !twin) this.#failed(entry, error);
      throw error;
    }
  }

  #expect(writes: readonly Write[], world = this.head): Outcome | Refusal {
    try {
      return commitTo(world, writes, this.stages, this.now());
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  #isFirst(entry: Entry, { cursor, results }: Commit, first: First): void {
    const known = (all: Commit['results']) =>
      plain(first.untold ? all.map(({ version: _, ...rest }) => rest) : all);
    const same = isDeepStrictEqual(known(results), known(first.results));
    if (!same || (first.cursor !== undefined && first.cursor !== cursor)) {
      throw different(entry, 'a repeat gave another result', { cursor, results }, first);
    }
  }

  #isDone(entry: Entry, { cursor, results }: Commit): void {
    const { expected, id } = entry;
    if (entry.unknown) throw different(entry, 'it was unknown, then acknowledged');
    if (expected instanceof Refusal) throw different(entry, `${expected.message} was expected`);
    const index = this.pending.indexOf(entry);
    if (!isDeepStrictEqual(plain(results), plain(expected.results))) {
      this.#expectVersions(entry, index, results);
    }
    // Nothing that changes nothing stands in the order; it may be answered when all before it is durable.
    if (index < 0) return;
    for (const earlier of this.pending.slice(0, index)) {
      if (!isIdle(earlier)) throw different(earlier, `was overtaken by #${entry.number}`);
    }
    const last = this.#last;
    if (!isIdle(entry)) {
      const position = Number(cursor);
      if (!(position > this.#last)) throw different(entry, `${cursor} is not after ${this.#last}`);
      this.#last = position;
    }
    const moment = { world: this.durable, told: this.history.length, last };
    const done = this.pending.splice(0, index + 1);
    if (!this.how.always) {
      const rest = done.map((each) => ({ entry: each, before: moment }));
      this.#unsure.push(...rest);
    }
    this.#apply(done, () => cursor);
    if (id !== undefined) {
      const owners = ownersOf(expected.changes);
      this.firsts.set(id, { at: entry.at, results, cursor, writes: entry.writes, owners });
    }
  }

  /** Perhaps only versions are others, of records that were not there: then all that follows is expected anew. */
  #expectVersions(entry: Entry, index: number, results: Commit['results']): void {
    const { writes, at } = entry;
    const versions = new Map(results.map(({ version = 0 }, i) => [i, version]));
    const world = this.#worldAfter(index);
    const expected = commitTo(world, writes, this.stages, at, versions);
    if (index < 0 || !isDeepStrictEqual(plain(results), plain(expected.results))) {
      throw different(entry, 'other results', results, expected.results);
    }
    entry.expected = expected;
    this.#expectAgain(index + 1, expected.world);
  }

  #expectAgain(index: number, before: ModelWorld): void {
    let world = before;
    for (const later of this.pending.slice(index)) {
      later.expected = this.#expect(later.writes, world);
      if (!(later.expected instanceof Refusal)) ({ world } = later.expected);
    }
  }

  #apply(entries: readonly Entry[], cursorOf: (entry: Entry) => Cursor | undefined): void {
    for (const entry of entries) {
      const { expected, at, writes } = entry;
      if (expected instanceof Refusal) continue;
      this.#forgetFirsts(destroyedBy(writes));
      this.durable = expected.world;
      const { changes } = expected;
      const cursor = cursorOf(entry);
      if (changes.size > 0 && cursor) this.history.push({ cursor, at, changes });
    }
  }

  /** What belonged to an account that is gone is not known again: which of them owned it only the store knows. */
  #forgetFirsts(gone: readonly AccountId[]): void {
    for (const [id, { owners }] of this.firsts) {
      if (owners.some((owner) => gone.includes(owner))) this.firsts.delete(id);
    }
  }

  #failed(entry: Entry, error: unknown): void {
    const { expected } = entry;
    if (!isMailError(error)) throw different(entry, `failed oddly: ${String(error)}`);
    if (error.code === 'UNKNOWN' && this.troubled()) {
      entry.unknown = true;
      return;
    }
    const index = this.pending.indexOf(entry);
    if (index >= 0) this.pending.splice(index, 1);
    if (expected instanceof Refusal && expected.code === error.code) {
      if (expected.write === error.write) return;
      throw different(entry, `blames write ${error.write}`, error, expected);
    }
    // Staged octets that two messages share are there for each of them, and have to fit into a segment.
    const isLarge = error.code === 'LIMIT' && this.#octetsOf(entry.writes) > LARGE;
    // A segment that cannot be opened is told as damage.
    const excused = ['UNAVAILABLE', 'FULL', 'CORRUPTION'].includes(error.code);
    if (!isLarge && (!excused || !this.troubled())) {
      throw different(entry, `failed: ${error.code} ${error.message}`, error, expected);
    }
    // Those after it were planned without it.
    const from = Math.max(0, index);
    this.#expectAgain(from, this.#worldAfter(from));
  }

  #octetsOf(writes: readonly Write[]): number {
    let octets = 0;
    for (const write of writes) {
      for (const slice of ('content' in write && write.content) || []) {
        if ('stage' in slice) octets += this.stages.get(slice.stage)?.length ?? 0;
      }
    }
    return octets;
  }

  #worldAfter(count: number): ModelWorld {
    for (let i = count; i-- > 0;) {
      const { expected } = this.pending[i] as Entry;
      if (!(expected instanceof Refusal)) return expected.world;
    }
    return this.durable;
  }

  #useUp(writes: readonly Write[]): void {
    for (const write of writes) {
      const content = ('content' in write && write.content) || [];
      for (const slice of content) if ('stage' in slice) this.stages.delete(slice.stage);
    }
  }

  /** The process is gone; what was under way is decided when the store is open again. */
  end(): void {
    this.#life++;
    this.stages.clear();
  }

  /** The power is gone, and with it perhaps the last that was acknowledged, if the store does not sync for each commit. */
  lose(): void {
    const [first] = this.#unsure;
    if (!first) return;
    const { world, told, last } = first.before;
    this.durable = world;
    this.history.length = told;
    this.#last = last;
    const entries = this.#unsure.splice(0).map(({ entry }) => entry);
    for (const { id } of entries) if (id !== undefined) this.firsts.delete(id);
    this.pending.unshift(...entries);
  }

  /** All that was acknowledged is on the disk. */
  isSure(): void {
    this.#unsure.length = 0;
  }

  /** Accounts that are gone or may be, with a key that everything said of them is lost with. */
  get faded(): ReadonlySet<AccountId> {
    const faded = new Set<AccountId>();
    if (!this.how.encrypted) return faded;
    for (const { id, destroyed } of this.durable.accounts.values()) if (destroyed) faded.add(id);
    for (const { writes } of this.pending) for (const id of destroyedBy(writes)) faded.add(id);
    return faded;
  }

  /** Versions of records that nobody was told of, as they are now. */
  learn(record: ModelRecord, version: number): void {
    const name = recordName(record.space, record.key);
    if (version < record.version || !this.#untold.has(name)) {
      throw new Difference(`${name} has version ${version}, not ${record.version}`);
    }
    const records = new Map(this.durable.records);
    records.set(name, { ...record, version });
    this.durable = { ...this.durable, records };
  }

  /**
   * After a start: the stream has told of these commits since the last that was known. What was under way is there up to
   * the last of them, and not beyond. Returns what else it may be: with what comes after and is not told.
   */
  decide(told: readonly Told[], gone: ReadonlySet<AccountId>): readonly ModelWorld[] {
    // A start makes durable what it has read.
    this.isSure();
    const toldOf = (entry: Entry) => linesLeft(entry, gone);
    const isTold = (entry: Entry) => toldOf(entry).size > 0;
    let count = 0;
    const cursors = new Map<Entry, Cursor>();
    for (const { cursor, changes, at } of told) {
      const index = this.pending.findIndex((entry, i) => i >= count && isTold(entry));
      const entry = this.pending[index];
      if (!entry)
        throw new Difference(`the stream tells of ${[...changes].join()}, never asked for`);
      const { expected } = entry;
      const wanted = toldOf(entry);
      const is =
        expected instanceof Refusal ? changes : lastOwners(changes, expected.changes, gone);
      if (expected instanceof Refusal || !isDeepStrictEqual(wanted, is)) {
        throw different(entry, 'the stream tells otherwise', [...changes], [...wanted]);
      }
      if (entry.at !== at) throw different(entry, `was made at ${entry.at}, not ${at}`);
      cursors.set(entry, cursor);
      this.#last = Number(cursor);
      count = index + 1;
    }
    const there = this.pending.splice(0, count);
    const puts = there.flatMap(({ writes }) => writes.filter((write) => write.op === 'putRecord'));
    this.#untold = new Set(puts.map(({ space, key }) => recordName(space, key)));
    const rest = this.pending.splice(0);
    // Those right after the last that do something of which nothing is told: they may be there too.
    const silent: ModelWorld[] = [];
    for (const entry of rest) {
      if (isTold(entry)) break;
      if (!(entry.expected instanceof Refusal)) silent.push(entry.expected.world);
    }
    this.#apply(there, (entry) => cursors.get(entry));
    for (const entry of there) {
      const { id, at, writes, expected } = entry;
      if (id === undefined || expected instanceof Refusal) continue;
      const { results } = expected;
      const owners = ownersOf(expected.changes);
      const cursor = cursors.get(entry);
      this.firsts.set(id, { at, writes, owners, results, cursor, untold: true });
    }
    const numbers = (entries: readonly Entry[]) => entries.map(({ number }) => `#${number}`).join();
    this.trace(`there: ${numbers(there) || 'nothing'}; not there: ${numbers(rest) || 'nothing'}`);
    const destroyed = [...this.durable.accounts.values()].filter((each) => each.destroyed);
    this.#forgetFirsts(destroyed.map(({ id }) => id));
    // One that has an id and changes nothing may be remembered or not, and never shows: it is not asked for again.
    return silent;
  }
}

const nothing: Outcome = { world: emptyWorld, results: [], changes: new Set(), touched: false };

/** Octets of a commit that may be too many for a segment. */
const LARGE = 50_000;

const isIdle = ({ expected }: Entry) => expected instanceof Refusal || !expected.touched;

/** How it was before a commit. */
interface Moment {
  readonly world: ModelWorld;
  /** Commits of the history. */
  readonly told: number;
  readonly last: number;
}

const destroyedBy = (writes: readonly Write[]): AccountId[] =>
  writes.flatMap((write) => (write.op === 'destroyAccount' ? [write.account] : []));

/** Whose the line of a change is; '' if nobody's. */
export const ownerOf = (line: string) => line.slice(line.lastIndexOf(' ') + 1) as AccountId;

const ownersOf = (changes: ReadonlySet<string>): AccountId[] => [
  ...new Set([...changes].map(ownerOf)),
];

/** Told without records of which the commit gave the last version to one of those who are gone: of them others are told. */
export function lastOwners(
  told: ReadonlySet<string>,
  all: ReadonlySet<string>,
  gone: ReadonlySet<AccountId>,
): ReadonlySet<string> {
  const place = (line: string) => line.slice(0, line.lastIndexOf(' '));
  const lost = [...all].filter((line) => line.startsWith('record') && gone.has(ownerOf(line)));
  const places = new Set(lost.map(place));
  if (places.size === 0) return told;
  return new Set([...told].filter((line) => all.has(line) || !places.has(place(line))));
}

/** What of it is still told when the keys of some accounts are destroyed: that they are gone, and all that is of others. */
function linesLeft({ expected, writes }: Entry, gone: ReadonlySet<AccountId>): ReadonlySet<string> {
  if (expected instanceof Refusal) return new Set();
  if (gone.size === 0) return expected.changes;
  const goes = destroyedBy(writes).map((account) => changeLine({ kind: 'account', account }));
  return new Set(
    [...expected.changes].filter((line) => !gone.has(ownerOf(line)) || goes.includes(line)),
  );
}

/** Without what JSON does not have: results of a commit with an id have been JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

function different(entry: Entry, what: string, is?: unknown, expected?: unknown): Difference {
  const values = is === undefined ? '' : `\n  is       ${show(is)}\n  expected ${show(expected)}`;
  return new Difference(`#${entry.number} ${what}${values}\n  ${linesOf(entry.writes)}`);
}

const show = (value: unknown): string =>
  value instanceof Error ? value.message : JSON.stringify(value);

/** Writes, shortly. */
export function linesOf(writes: readonly Write[]): string {
  const short = (key: string, value: unknown): unknown => {
    if (value instanceof Uint8Array) return `<${value.length}>`;
    if (key === 'facts') return (value as { preview: string }).preview;
    return value;
  };
  return writes
    .map(({ op, ...rest }) => {
      const text = JSON.stringify(rest, (key, value: unknown) => short(key, bytesIn(value)));
      return `${op} ${text}`;
    })
    .join('; ');
}

/** A Buffer has become JSON before a replacer sees it. */
function bytesIn(value: unknown): unknown {
  const json = value as { type?: unknown; data?: unknown } | null;
  if (json?.type === 'Buffer' && Array.isArray(json.data)) return new Uint8Array(json.data.length);
  return value;
}
