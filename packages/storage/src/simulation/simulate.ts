/**
 * Many clients of a store on a machine that fails, beside a model that does not: one seed, one story. What the store has
 * acknowledged is there exactly; what was under way is there wholly or not at all; nobody sees anything else.
 */
import { isMailError, type AccountId, type MailStore, type StageId } from '@mail-server-kit/core';
import { seededRandom, type SeededRandom } from '@mail-server-kit/core/testing';
import type { JournalStore } from '../embedded/engine.ts';
import { Difference, Ledger, type Told } from './ledger.ts';
import { directoryFor, Machine, type PowerCut } from './machine.ts';
import { optionsFor } from './options.ts';
import { bodyOf, someWrites, type Scene } from './operations.ts';
import { Followers, groupsOf } from './followers.ts';
import type { ModelWorld } from './model-world.ts';
import { Readers } from './readers.ts';
import { flipped } from './rot.ts';
import { linesOfStore, linesOfWorld } from './view.ts';

export interface Report {
  readonly seed: number;
  readonly commits: number;
  readonly lives: number;
}

export interface SimulateOptions {
  /** Changes the machine before it is used: for tests of the simulation itself. */
  readonly prepare?: (machine: Machine) => void;
  readonly onTrace?: (line: string) => void;
}

/** Lines of the trace that a difference comes with. */
const LAST = 40;

/** @throws Difference */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Report> {
  const simulation = new Simulation(seed, options);
  try {
    return await simulation.run();
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Difference(
      `seed ${seed}: ${text}\n\nThe last operations:\n${simulation.trace.join('\n')}\n\n` +
        `Again: npm run simulate -- --seeds 1 --from ${seed}`,
    );
  } finally {
    simulation.machine.remove();
  }
}

class Simulation {
  readonly random: SeededRandom;
  readonly machine: Machine;
  readonly ledger: Ledger;
  readonly followers: Followers;
  readonly readers: Readers;
  readonly trace: string[] = [];
  /** Something was made to fail in this life. */
  #trouble = false;
  #number = 0;
  #uploads = 0;
  /** What went wrong where nobody waited. */
  #difference: unknown;
  #lives = 0;
  #closed = false;
  #commits = 0;
  readonly #largest: number;

  constructor(
    readonly seed: number,
    readonly options: SimulateOptions,
  ) {
    this.random = seededRandom(seed);
    const drawn = optionsFor(this.random);
    this.#largest = drawn.largest;
    this.machine = new Machine(this.random, drawn, directoryFor(seed), ({ event, error }) =>
      this.#tell(`log: ${event}${error ? ` (${String(error)})` : ''}`),
    );
    this.#tell(`seed ${seed} ${JSON.stringify(drawn)}`);
    options.prepare?.(this.machine);
    this.ledger = new Ledger(
      () => this.machine.clock.now(),
      () => this.#trouble || this.machine.dead,
      (line) => this.#tell(line),
      { encrypted: drawn.encrypted, always: drawn.store.sync === 'always' },
    );
    const fail = (error: unknown) => (this.#difference ??= error);
    const troubled = () => this.#trouble;
    const { changesMs = Infinity } = drawn.store;
    const isOld = (at: number) => this.machine.clock.now() - at >= changesMs;
    this.followers = new Followers(this.random, this.ledger, fail, troubled, isOld);
    this.readers = new Readers(this.random, this.ledger, fail, troubled);
  }

  #tell(line: string): void {
    this.options.onTrace?.(line);
    this.trace.push(line);
    if (this.trace.length > LAST) this.trace.shift();
  }

  async run(): Promise<Report> {
    const lives = 3 + this.random.integer(4);
    for (let life = 0; life < lives; life++) await this.#live();
    await this.#open();
    await this.machine.close();
    this.ledger.end();
    await this.#open();
    await this.machine.close();
    return { seed: this.seed, commits: this.#commits, lives: this.#lives };
  }

  /** From one start to the next: by an end in good order, or not. */
  async #live(): Promise<void> {
    const { random, machine } = this;
    const end = random.pick(['close', 'kill', 'power', 'power', 'cut', 'cut'] as const);
    if (end === 'cut' && random.chance(0.2)) this.#cutLater(3);
    if (!(await this.#open())) return;
    const steps = 20 + random.integer(80);
    if (end === 'cut' && !machine.cut) this.#cutLater(40 + random.integer(60));
    for (let step = 0; step < steps && !machine.dead; step++) await this.#step();
    await this.#end(end);
  }

  async #end(how: 'close' | 'kill' | 'power' | 'cut'): Promise<void> {
    const { machine } = this;
    if (how === 'close' && !machine.dead) {
      await this.#rest();
      if (!machine.dead) {
        this.#tell('closes');
        await machine.close();
        if (!this.#trouble) this.ledger.isSure();
        // Without a mark a flip in the last group could not be told from a torn end.
        this.#closed = !this.#trouble;
        this.followers.end();
        this.readers.end();
        this.ledger.end();
        this.#trouble = false;
        return;
      }
    }
    this.#tell(machine.dead ? 'the power went' : how === 'kill' ? 'is killed' : 'the power goes');
    this.followers.end();
    this.readers.end();
    this.ledger.end();
    const power = how !== 'kill' || machine.dead;
    await machine.end(power);
    if (power) this.#lose();
    this.#closed = false;
    this.#trouble = false;
    this.#check();
  }

  #cutLater(calls: number): void {
    const when: PowerCut['when'] = this.random.pick(['before', 'after', 'middle']);
    this.machine.cut = { after: this.random.integer(calls), when };
  }

  /** False: the power went before it was open. */
  async #open(): Promise<boolean> {
    const { machine, ledger, random } = this;
    this.#lives++;
    this.#uploads = 0;
    if (this.#closed && random.chance(0.5))
      await flipped(machine, ledger, random, (line) => this.#tell(line));
    for (;;) {
      try {
        const opening = machine.open();
        const store = await machine.until(opening);
        this.#tell('is open');
        this.#check();
        await this.#compare(store);
        this.#intercept(store);
        return true;
      } catch (error) {
        if (!machine.dead) throw error;
        this.#tell('the power went while it was opened');
        await machine.end(true);
        this.#lose();
      }
    }
  }

  #lose(): void {
    this.ledger.lose();
    this.followers.lose();
  }

  async #compare(store: MailStore): Promise<void> {
    const { machine, ledger } = this;
    const told = await machine.until(this.#toldSince(store));
    const others = ledger.decide(told, await this.#gone(store));
    for (const record of ledger.durable.records.values()) {
      const found = record.value && (await store.record(record.space, record.key));
      if (found && found.version !== record.version) ledger.learn(record, found.version);
    }
    await this.#isSame(store, others);
    await machine.until(this.readers.allVanished(store));
    this.followers.begin(store);
  }

  /** Accounts that are gone with their keys. */
  async #gone(store: MailStore): Promise<ReadonlySet<AccountId>> {
    const gone = new Set<AccountId>();
    for (const account of this.ledger.faded) {
      await store.usage(account).catch(() => gone.add(account));
    }
    return gone;
  }

  /** Commits that the stream tells of after the last that was known. */
  async #toldSince(store: MailStore): Promise<Told[]> {
    const abort = new AbortController();
    const found: Parameters<typeof groupsOf>[0][number][] = [];
    const reading = (async () => {
      for await (const change of store.changes(this.ledger.cursor, {}, abort.signal)) {
        found.push(change);
      }
    })();
    // It is waited for below.
    reading.catch(() => {});
    for (let before = -1; before < found.length;) {
      before = found.length;
      for (let i = 0; i < 5; i++) await this.machine.turn();
    }
    abort.abort();
    await reading;
    return groupsOf(found);
  }

  async #isSame(store: MailStore, others: readonly ModelWorld[]): Promise<void> {
    const { ledger, machine } = this;
    const lines = await machine.until(linesOfStore(store, ledger.durable));
    const now = machine.clock.now();
    const expected = linesOfWorld(ledger.durable, now);
    const text = lines.join('\n');
    if (text === expected.join('\n')) return;
    const other = others.find((world) => linesOfWorld(world, now).join('\n') === text);
    if (other) {
      ledger.durable = other;
      return;
    }
    for (let i = 0; i < Math.max(lines.length, expected.length); i++) {
      if (lines[i] === expected[i]) continue;
      throw new Difference(`the store differs\n  is       ${lines[i]}\n  expected ${expected[i]}`);
    }
  }

  /** Commits of the store itself are seen too: it removes what has expired. */
  #intercept(store: MailStore): void {
    const commit = store.commit.bind(store);
    store.commit = (writes, options = {}) => {
      this.#commits++;
      return this.ledger.submit(writes, options.id, () => commit(writes, options));
    };
  }

  async #step(): Promise<void> {
    const { random, machine } = this;
    const roll = random.integer(100);
    if (roll < 45) this.#write();
    else if (roll < 55) this.readers.read(machine.store as MailStore, this.#scene());
    else if (roll < 60) this.#upload();
    else if (roll < 85) machine.work();
    else if (roll < 87) await this.#pass();
    else if (roll < 89) this.#bother();
    else if (roll < 91) this.followers.change(machine.store as MailStore);
    else if (roll < 92) await this.#rest();
    else if (roll < 94) this.#compact();
    await machine.turn();
    this.#check();
  }

  #scene(): Scene {
    const { random, machine, ledger } = this;
    const next = () => ++this.#number;
    return { random, world: ledger.head, now: machine.clock.now(), next, largest: this.#largest };
  }

  #write(): void {
    const { random, ledger } = this;
    const staged = [...ledger.stages.keys()];
    const free = staged.filter((stage) => !this.#isUsed(stage));
    const stage = free.length > 0 && random.chance(0.6) ? random.pick(free) : undefined;
    if (stage !== undefined && random.chance(0.1)) {
      ledger.stages.delete(stage);
      void (this.machine.store as MailStore).discard(stage);
      return;
    }
    if (stage === undefined && random.chance(0.12) && this.#repeat()) return;
    const writes = someWrites(this.#scene(), stage);
    const id = random.chance(0.3) ? `id-${++this.#number}` : undefined;
    this.#commit(writes, id);
  }

  #isUsed(stage: StageId): boolean {
    return this.ledger.pending.some(({ writes }) =>
      writes.some((write) => {
        const content = ('content' in write && write.content) || [];
        return content.some((slice) => 'stage' in slice && slice.stage === stage);
      }),
    );
  }

  /** A client that did not hear the answer asks again. */
  #repeat(): boolean {
    const { random, ledger, machine } = this;
    const known = [...ledger.firsts].filter(([, { at }]) => machine.clock.now() - at < 3_500_000);
    const open = ledger.pending.flatMap(({ id, writes }) =>
      id ? [[id, { writes }] as const] : [],
    );
    const all = [...known.slice(-12), ...open];
    if (all.length === 0) return false;
    const [id, { writes }] = random.pick(all);
    this.#commit(writes, id);
    return true;
  }

  #commit(writes: Parameters<MailStore['commit']>[0], id: string | undefined): void {
    const store = this.machine.store as MailStore;
    const has = (op: string) => (each: Parameters<MailStore['commit']>[0]) =>
      each.some((write) => write.op === op);
    // What version a new record has is known when it has been told.
    const puts = this.ledger.pending.some((entry) => has('putRecord')(entry.writes));
    if (puts && has('expectRecord')(writes)) return;
    store.commit(writes, id === undefined ? {} : { id }).catch((error: unknown) => {
      if (!isMailError(error)) this.#difference ??= error;
    });
  }

  /** Octets that come in pieces, some of them never to the end. */
  #upload(): void {
    const { random, machine, ledger } = this;
    if (this.#uploads > 3) return;
    const size = random.integer(random.chance(0.3) ? 120_000 : 3000);
    const body = bodyOf(random, ++this.#number, size);
    const breaks = random.chance(0.15);
    const limit = random.chance(0.05) ? Math.floor(size / 2) : Infinity;
    const pieces = 1 + random.integer(4);
    const store = machine.store as MailStore;
    async function* source() {
      for (let i = 0; i < pieces; i++) {
        if (breaks && i === pieces - 1) throw new Error('the client is gone');
        yield body.subarray(Math.floor((i * size) / pieces), Math.floor(((i + 1) * size) / pieces));
        await machine.turn();
      }
    }
    this.#uploads++;
    const life = this.#lives;
    this.#tell(`stages ${size}${breaks ? ', in part' : ''}`);
    store.stage(source(), { limit }).then(
      ({ stage, size: staged }) => {
        if (life !== this.#lives || machine.store !== store) return;
        this.#uploads--;
        if (staged !== size || size > limit) this.#difference ??= new Difference('staged oddly');
        ledger.stages.set(stage, body);
        this.#tell(`${stage} is staged`);
      },
      (error: unknown) => {
        if (life !== this.#lives || machine.store !== store) return;
        this.#uploads--;
        if (breaks || machine.dead || this.#trouble) return;
        if (limit < size && isMailError(error, 'TOOBIG')) return;
        this.#difference ??= error;
      },
    );
  }

  /** What is no longer needed is freed, while everything else goes on. */
  #compact(): void {
    const { random, machine } = this;
    const store = machine.store as JournalStore;
    const below = random.pick([0.5, 0.9, 1]);
    this.#tell(`compacts below ${below}`);
    store.compact(below).catch((error: unknown) => {
      if (machine.store === store && !machine.dead && !this.#trouble) this.#difference ??= error;
    });
  }

  /** Time passes. */
  async #pass(): Promise<void> {
    const { random, machine } = this;
    await this.#rest();
    if (machine.dead) return;
    const ms = random.pick([1, 1000, 61_000, 700_000]);
    this.#tell(`${ms} ms pass`);
    await machine.until(machine.clock.advance(ms));
    await this.#rest();
  }

  /** Something about the disk goes wrong. */
  #bother(): void {
    const { random, machine } = this;
    if (random.chance(0.6)) return;
    this.#trouble = true;
    const what = random.pick(['sync', 'write', 'full', 'open'] as const);
    this.#tell(`trouble: ${what}`);
    if (what === 'full') machine.disk.capacity = machine.disk.used + random.integer(40_000);
    else machine.disk.fail(what, 'EIO', random.integer(4));
  }

  /** All that is under way comes to its end. */
  async #rest(): Promise<void> {
    const { machine, ledger } = this;
    let turns = 0;
    const open = () => ledger.pending.some(({ unknown }) => !unknown) || this.#uploads > 0;
    while (!machine.dead && (open() || machine.busy || this.readers.busy)) {
      machine.work();
      await machine.turn();
      this.#check();
      if (++turns === 2000 && machine.disk.capacity < Infinity) machine.disk.capacity = Infinity;
      if (turns > 20_000) {
        const waiting = ledger.pending.map(({ number }) => `#${number}`).join();
        throw new Difference(
          `it never comes to rest: ${waiting}, ${this.#uploads} uploads, reading ${this.readers.busy}, writing ${machine.busy}`,
        );
      }
    }
    if (machine.dead || this.#trouble) return;
    await this.followers.isUpToDate(() => machine.turn());
    this.#check();
  }

  #check(): void {
    this.#difference ??= this.machine.oddity;
    if (this.#difference !== undefined) throw this.#difference as Error;
  }
}
