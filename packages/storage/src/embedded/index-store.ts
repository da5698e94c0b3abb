/**
 * The index: checkpoints of everything but the octets, in Level, so that opening need not replay the whole journal. It is
 * never on the way of a commit and may be deleted at any time. Level loses and damages rows without an error, so
 * checkpoints are synced, every value has a checksum, and a manifest tells what has to be there.
 */
import fs from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { MailError, type Log, type MailboxId } from '@mail-server-kit/core';
import type { StoreBlock } from '../state/block.ts';
import type { MailboxState } from '../state/mailbox.ts';
import { Repeats } from '../state/repeats.ts';
import { Dirty, spaceOf, type Counters, type Space } from '../state/world.ts';
import { emptyBase, type Base } from './engine.ts';
import { addTo, loadIndex, recordKey, type Level, type Loaded } from './index-load.ts';
import {
  packAccount,
  packApplied,
  packMailbox,
  packManifest,
  packRepeat,
  packSpace,
  seal,
  type BlockEntry,
  type Tally,
} from './pack-index.ts';
import { packRecord, packRows } from './pack-state.ts';
import type { Packer } from './pack.ts';
import type { Position } from './scan.ts';

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

type Pack = (to: Packer) => void;

/** Packs one value of the state into operations, in steps that take well below a millisecond. */
type Value = (to: Operation[], lsn: number) => Iterable<void>;

/** After so long others get their turn. */
const SLICE_MS = 3;

/** Octets in one batch. Mostly one is enough, so that a crash finds all of a checkpoint or nothing. */
const BATCH = 16 * 1_048_576;

export class Index {
  readonly #directory: string;
  readonly #log: Log;
  #level: Level | undefined;
  #store: Uint8Array = new Uint8Array(16);
  #base: Base | undefined;
  #sums = new Map<string, number>();
  readonly #tallies = new Map<string, Tally>();
  readonly #blocks = new WeakMap<StoreBlock, BlockEntry>();
  #written = new Map<MailboxId, Set<number>>();
  #lastBlock = 0;
  #writing: Promise<void> = Promise.resolve();
  #broken = false;
  /** LSN of the last checkpoint. */
  applied = 0;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** What the last checkpoint knew; an empty base if there is none to be trusted. @throws MailError UNAVAILABLE if another process has it */
  async load(store: Uint8Array): Promise<Base> {
    this.#store = store;
    let loaded: Loaded | undefined;
    try {
      this.#level = await openLevel(this.#directory);
      loaded = await loadIndex(this.#level, store);
    } catch (error) {
      if (isLocked(error)) throw error;
      this.#log({ level: 'warn', service: 'storage', event: 'index is made anew', error });
      await this.#level?.close().catch(() => {});
      fs.rmSync(this.#directory, { recursive: true, force: true });
      this.#level = await openLevel(this.#directory);
    }
    if (loaded) this.#adopt(loaded);
    this.#base = loaded?.base ?? { ...emptyBase(), repeats: new Repeats(true) };
    this.#base.world.dirty ??= new Dirty();
    return this.#base;
  }

  #adopt({ base, sums, blocks, written, lastBlock }: Loaded): void {
    this.#sums = sums;
    for (const [key, crc] of sums) addTo(this.#tallies, key, crc, 1);
    for (const [block, entry] of blocks) this.#blocks.set(block, entry);
    this.#written = written;
    this.#lastBlock = lastBlock;
    this.applied = base.position.lsn;
  }

  /** Writes what has changed since the last one. `position`: of the first record that the world does not know. */
  checkpoint(position: Position): Promise<void> {
    if (this.#broken || !this.#base || position.lsn === this.applied) return this.#writing;
    const values = this.#collect(this.#base);
    const counters = this.#base.world.counters.durable as Counters;
    this.applied = position.lsn;
    this.#writing = this.#writing.then(async () => {
      if (this.#broken) return;
      const operations = await this.#pack(values, position.lsn);
      const manifest = seal('g', position.lsn, (to) =>
        packManifest(to, { counters, tallies: this.#tallies }),
      );
      const applied = seal('z', position.lsn, (to) =>
        packApplied(to, { store: this.#store, position, manifest: manifest.crc }),
      );
      await this.#write(operations, [
        { type: 'put', key: 'g', value: manifest.bytes },
        { type: 'put', key: 'z', value: applied.bytes },
      ]);
    });
    return this.#writing;
  }

  /** Packs the values, and gives the event loop away again and again. */
  async #pack(values: readonly Value[], lsn: number): Promise<Operation[]> {
    const operations: Operation[] = [];
    let since = performance.now();
    for (const value of values) {
      for (const _ of value(operations, lsn)) {
        if (performance.now() - since < SLICE_MS) continue;
        await new Promise<void>((resolve) => setImmediate(resolve));
        since = performance.now();
      }
    }
    return operations;
  }

  async #write(operations: readonly Operation[], last: Operation[]): Promise<void> {
    const level = this.#level as Level;
    try {
      for (let from = 0; from < operations.length;) {
        let octets = 0;
        let end = from;
        while (end < operations.length && octets < BATCH) {
          const operation = operations[end++] as Operation;
          octets += operation.type === 'put' ? operation.value.length : 0;
        }
        await level.batch(operations.slice(from, end), { sync: true });
        from = end;
      }
      await level.batch(last, { sync: true });
    } catch (error) {
      // The journal has everything; the next start makes a new index.
      this.#broken = true;
      this.#log({ level: 'error', service: 'storage', event: 'checkpoint failed', error });
    }
  }

  /** What has to be packed. States are values that nobody changes: this can be done while commits go on. */
  #collect({ world, repeats }: Base): Value[] {
    const values: Value[] = [];
    const dirty = world.dirty as Dirty;
    world.dirty = new Dirty();
    const keep = (key: string, pack: Pack | undefined) => {
      values.push((to, lsn) => this.#keep(key, pack, to, lsn));
    };
    for (const id of dirty.accounts) {
      const account = world.accounts.get(id)?.durable;
      keep(`a/${id}`, account && ((to) => packAccount(to, account)));
    }
    for (const id of dirty.mailboxes) {
      const mailbox = world.mailboxes.get(id)?.durable;
      values.push((to, lsn) => this.#mailbox(id, mailbox, to, lsn));
    }
    for (const [name, keys] of dirty.records) {
      const { cells } = spaceOf(world, name);
      for (const key of keys) {
        const record = cells.get(key)?.durable;
        const there = record && !record.gone ? record : undefined;
        keep(recordKey(name, key), there && ((to) => packRecord(to, there)));
      }
    }
    for (const name of dirty.spaces) {
      const { floor, gone } = world.spaces.get(name) as Space;
      // These do change.
      const now = { floor, gone: new Map(gone) };
      keep(`s/${name}`, (to) => packSpace(to, now));
    }
    for (const [id, repeat] of repeats.takeChanged()) {
      keep(`i/${id}`, repeat && ((to) => packRepeat(to, repeat)));
    }
    return values;
  }

  *#keep(key: string, pack: Pack | undefined, to: Operation[], lsn: number): Generator<void> {
    const before = this.#sums.get(key);
    if (before !== undefined) addTo(this.#tallies, key, before, -1);
    if (pack) {
      const { bytes, crc } = seal(key, lsn, pack);
      to.push({ type: 'put', key, value: bytes });
      this.#sums.set(key, crc);
      addTo(this.#tallies, key, crc, 1);
    } else if (before !== undefined) {
      this.#sums.delete(key);
      to.push({ type: 'del', key });
    }
    yield;
  }

  *#mailbox(
    id: MailboxId,
    mailbox: MailboxState | undefined,
    to: Operation[],
    lsn: number,
  ): Generator<void> {
    const entries: BlockEntry[] = [];
    for (const block of mailbox?.blocks ?? []) {
      let entry = this.#blocks.get(block);
      if (!entry) {
        const number = ++this.#lastBlock;
        const key = `b/${id}/${number}`;
        const { bytes, crc } = seal(key, lsn, (packer) => packRows(packer, block.columns));
        to.push({ type: 'put', key, value: bytes });
        this.#blocks.set(block, (entry = { number, crc }));
        yield;
      }
      entries.push(entry);
    }
    const now = new Set(entries.map(({ number }) => number));
    for (const number of this.#written.get(id) ?? []) {
      if (!now.has(number)) to.push({ type: 'del', key: `b/${id}/${number}` });
    }
    if (mailbox) this.#written.set(id, now);
    else this.#written.delete(id);
    yield* this.#keep(
      `m/${id}`,
      mailbox && ((packer) => packMailbox(packer, mailbox, entries)),
      to,
      lsn,
    );
  }

  /** After the last checkpoint. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#level?.close();
    if (this.#broken) fs.rmSync(this.#directory, { recursive: true, force: true });
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

const isLocked = (error: unknown) => error instanceof MailError;
