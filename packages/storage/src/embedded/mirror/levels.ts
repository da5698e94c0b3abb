/** The index of each side, kept alike: written to all, read from one. Losing one never needs the other. */
import fs from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { MailError, type Log } from '@mail-server-kit/core';
import { Doubt } from './doubt.ts';

export type Level = ClassicLevel<string, Uint8Array>;
type Put = { readonly type: 'put'; readonly key: string; readonly value: Uint8Array };

interface One {
  readonly directory: string;
  readonly level: Level;
  readonly doubt: Doubt;
}

/** Operations of one batch while an index is copied. */
const COPIED = 256;

export class Levels {
  readonly #log: Log;
  /** The first one is read. */
  #all: One[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Opens the indexes and hands them to `load`, the one with the last checkpoint first, until it likes one; the others are
   * made like it. One that cannot be opened or loaded is removed. Undefined: there is none.
   * @throws MailError UNAVAILABLE if another process has one
   */
  async open<T>(
    directories: readonly string[],
    load: (level: Level) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    for (const directory of directories) {
      const doubt = new Doubt(directory);
      if (doubt.begin(Date.now())) {
        this.#log({ level: 'warn', service: 'storage', event: 'index is not trusted', directory });
        remove(directory);
      }
      const level = await this.#openOrAnew(directory);
      if (level) this.#all.push({ directory, level, doubt });
    }
    const loaded = await this.#loadOne(load);
    for (const { doubt } of this.#all) doubt.reading(false);
    return loaded;
  }

  async #loadOne<T>(load: (level: Level) => Promise<T | undefined>): Promise<T | undefined> {
    const ends = await Promise.all(this.#all.map(async (one) => [one, await endOf(one)] as const));
    ends.sort(([, a], [, b]) => b.lsn - a.lsn);
    for (const [i, [one, end]] of ends.entries()) {
      const loaded = await this.#load(one, load);
      if (loaded === undefined) continue;
      const others = ends.filter(([each]) => each !== one);
      this.#all = [one];
      for (const [other, { bytes }] of others) {
        const alike = i === 0 && end.bytes !== undefined && bytes?.equals(end.bytes);
        if (alike || (await this.#copy(one, other))) this.#all.push(other);
      }
      return loaded;
    }
    return undefined;
  }

  async #openOrAnew(directory: string): Promise<Level | undefined> {
    try {
      return await openLevel(directory);
    } catch (error) {
      if (error instanceof MailError) throw error;
      this.#log({ level: 'warn', service: 'storage', event: 'index is made anew', error });
    }
    try {
      fs.rmSync(directory, { recursive: true, force: true });
      return await openLevel(directory);
    } catch (error) {
      this.#log({ level: 'error', service: 'storage', event: 'no index', directory, error });
      return undefined;
    }
  }

  async #load<T>(one: One, load: (level: Level) => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await load(one.level);
    } catch (error) {
      this.#log({ level: 'warn', service: 'storage', event: 'index is made anew', error });
      await this.#empty(one);
      return undefined;
    }
  }

  /** Level itself may be what is damaged, so its files go. */
  async #empty(one: One): Promise<void> {
    await one.level.close().catch(() => {});
    fs.rmSync(one.directory, { recursive: true, force: true });
    const level = await openLevel(one.directory);
    this.#all = this.#all.map((each) =>
      each.directory === one.directory ? { ...each, level } : each,
    );
  }

  /** How many there are. */
  get size(): number {
    return this.#all.length;
  }

  /** A value, of one index after the other. @throws MailError UNAVAILABLE once they are closed */
  *get(key: string): Generator<Uint8Array | undefined, void> {
    const open = this.#all.filter(({ level }) => level.status === 'open');
    if (open.length === 0) throw new MailError('UNAVAILABLE', 'The store is closed');
    for (const { level } of open) yield level.getSync(key, { fillCache: false });
  }

  /** Changes of all of them. */
  batch(): LevelsBatch {
    return new LevelsBatch(this, this.#all);
  }

  /** Directories of those that have a value which is not sound. */
  async findOdd(isSound: (key: string, value: Uint8Array) => boolean): Promise<string[]> {
    const odd: string[] = [];
    for (const { directory, level, doubt } of [...this.#all]) {
      doubt.reading(true);
      if (!(await isAllSound(level, isSound))) odd.push(directory);
      doubt.reading(false);
    }
    return odd;
  }

  /** Without a position it is no index: the next start makes it anew. */
  spoil(): void {
    for (const { level } of this.#all) level.del('z', { sync: true }).catch(() => {});
  }

  /** Makes an index in this directory, like the others. False: it cannot be written there. */
  async add(directory: string): Promise<boolean> {
    await this.drop(directory);
    const [source] = this.#all;
    fs.rmSync(directory, { recursive: true, force: true });
    const level = await this.#openOrAnew(directory);
    if (!level) return false;
    const doubt = new Doubt(directory);
    doubt.begin(Date.now());
    doubt.reading(false);
    const one = { directory, level, doubt };
    if (source && !(await this.#copy(source, one))) return false;
    this.#all.push(one);
    return true;
  }

  async #copy(from: One, to: One): Promise<boolean> {
    try {
      await to.level.clear();
      // The position last: without it what is there is odd.
      let batch: Put[] = [];
      let last: Put | undefined;
      for await (const [key, value] of from.level.iterator()) {
        if (key === 'z') last = { type: 'put', key, value };
        else batch.push({ type: 'put', key, value });
        if (batch.length < COPIED) continue;
        await to.level.batch(batch);
        batch = [];
      }
      if (last) batch.push(last);
      await to.level.batch(batch, { sync: true });
      return true;
    } catch (error) {
      this.#log({ level: 'error', service: 'storage', event: 'index not copied', error });
      await to.level.close().catch(() => {});
      return false;
    }
  }

  /** The index of a side that is out, or that failed: it must not be taken for a good one later. */
  async drop(directory: string, error?: unknown): Promise<void> {
    const one = this.#all.find((each) => each.directory === directory);
    if (!one) return;
    if (error !== undefined) {
      this.#log({ level: 'error', service: 'storage', event: 'index given up', directory, error });
    }
    this.#all = this.#all.filter((each) => each !== one);
    await one.level.close().catch(() => {});
    if (error !== undefined) remove(directory);
  }

  async close(): Promise<void> {
    for (const { level, doubt } of this.#all) {
      await level.close().catch(() => {});
      doubt.end();
    }
  }

  /** After `close`: the next start makes them anew. */
  remove(): void {
    for (const { directory } of this.#all) remove(directory);
  }
}

/** The same changes for every index. */
export class LevelsBatch {
  readonly #levels: Levels;
  readonly #batches: { readonly one: One; readonly batch: ReturnType<Level['batch']> }[];
  readonly #failed = new Map<One, unknown>();

  constructor(levels: Levels, all: readonly One[]) {
    this.#levels = levels;
    this.#batches = all.map((one) => ({ one, batch: one.level.batch() }));
  }

  put(key: string, value: Uint8Array): void {
    this.#each((batch) => batch.put(key, value));
  }

  del(key: string): void {
    this.#each((batch) => batch.del(key));
  }

  #each(change: (batch: ReturnType<Level['batch']>) => void): void {
    for (const { one, batch } of this.#batches) {
      if (this.#failed.has(one)) continue;
      try {
        change(batch);
      } catch (error) {
        // Closed meanwhile: its side is out.
        this.#failed.set(one, error);
      }
    }
  }

  /** Synced on all. One that fails is given up, unless it is the last. @throws LevelDB's error */
  async write(): Promise<void> {
    await Promise.all(
      this.#batches.map(async ({ one, batch }) => {
        if (this.#failed.has(one)) return;
        await batch.write({ sync: true }).catch((error: unknown) => this.#failed.set(one, error));
      }),
    );
    if (this.#failed.size === this.#batches.length) {
      throw [...this.#failed.values()][0] ?? new Error('no index can be written');
    }
    for (const [{ directory }, error] of this.#failed) await this.#levels.drop(directory, error);
  }
}

/** After so long others get their turn. */
const SLICE_MS = 3;

async function isAllSound(
  level: Level,
  isSound: (key: string, value: Uint8Array) => boolean,
): Promise<boolean> {
  try {
    let since = performance.now();
    for await (const [key, value] of level.iterator()) {
      if (!isSound(key, value)) return false;
      if (performance.now() - since < SLICE_MS) continue;
      await new Promise<void>((resolve) => setImmediate(resolve));
      since = performance.now();
    }
    return true;
  } catch {
    return false;
  }
}

function remove(directory: string): void {
  try {
    fs.rmSync(directory, { recursive: true, force: true });
  } catch {
    // Of a disk that fails at everything: it is odd, or behind, at the next start.
  }
}

/** Which checkpoint an index holds. */
async function endOf({ level }: One): Promise<{ lsn: number; bytes: Buffer | undefined }> {
  try {
    const value = await level.get('z');
    if (!value || value.length < 16) return { lsn: -1, bytes: undefined };
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
    return { lsn: bytes.readDoubleLE(8), bytes };
  } catch {
    return { lsn: -1, bytes: undefined };
  }
}

async function openLevel(directory: string): Promise<Level> {
  const level: Level = new ClassicLevel(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    // Columns of numbers shrink little, and a checkpoint should cost little.
    compression: false,
  });
  try {
    await level.open();
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    if (cause?.code !== 'LEVEL_LOCKED') throw error;
    throw new MailError('UNAVAILABLE', `${directory} is in use by another process`, { cause });
  }
  return level;
}
