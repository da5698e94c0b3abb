/**
 * The machine that the store runs on: a disk that may lose what was not synced, a clock that stands still, and a process
 * that may end at any call of the system. All of it by a seed.
 */
import fs from 'node:fs';
import path from 'node:path';
import { isMailError, silent, type Disk, type DiskFile, type Log } from '@mail-server-kit/core';
import {
  fakeClock,
  fakeDisk,
  type FakeClock,
  type FakeDisk,
  type SeededRandom,
} from '@mail-server-kit/core/testing';
import { openJournalStore, type JournalStore } from '../embedded/engine.ts';
import { Index } from '../embedded/index-store.ts';
import { JournalWriter } from '../embedded/journal-writer.js';
import { InlineLink } from '../embedded/link.ts';
import { rebuildMailbox } from '../embedded/rebuild.ts';
import { keepCheckpoints, withDefaults, type EmbeddedStoreOptions } from '../embedded/store.ts';
import type { MasterKey } from '../embedded/vault/master-key.ts';
import { damageFiles } from './damage.ts';

export interface MachineOptions {
  readonly store: EmbeddedStoreOptions;
  readonly encrypted: boolean;
  /** Undefined: there is no index, and all of the journal is replayed. */
  readonly index: { readonly checkpointOctets: number; readonly checkpointMs: number } | undefined;
}

/** The process ends at the call of the disk with this number: before it, after it, or in the middle of a write. */
export interface PowerCut {
  after: number;
  readonly when: 'before' | 'after' | 'middle';
}

const masterKey: MasterKey = {
  id: 'simulated',
  wrap: async (key) => key.map((octet) => octet ^ 0x5a),
  unwrap: async (wrapped) => wrapped.map((octet) => octet ^ 0x5a),
};

class PowerIsGone extends Error {
  override readonly name = 'PowerIsGone';
}

export class Machine {
  disk: FakeDisk;
  /** Where the keys are. */
  keys: FakeDisk;
  clock: FakeClock = fakeClock();
  store: JournalStore | undefined;
  /** The process has ended in the middle of something. */
  dead = false;
  cut: PowerCut | undefined;
  /** The index was thrown away though nobody had damaged it. */
  oddity: unknown;
  #damaged = false;
  #index: Index | undefined;
  #works: (() => void)[] = [];
  #checkpoints: Promise<unknown>[] = [];
  #life = 0;

  constructor(
    readonly random: SeededRandom,
    readonly options: MachineOptions,
    /** For the index. */
    readonly directory: string,
    readonly log: Log = silent,
  ) {
    this.disk = fakeDisk({ seed: random.integer(2 ** 32) });
    this.keys = fakeDisk({ seed: random.integer(2 ** 32) });
  }

  /** @throws what the store throws; PowerIsGone if that was the end of the process */
  async open(): Promise<JournalStore> {
    this.dead = false;
    this.#works = [];
    this.#checkpoints = [];
    this.clock = fakeClock(this.clock.now());
    const life = ++this.#life;
    const disk = this.#incarnation(life, this.disk);
    const keys = this.#incarnation(life, this.keys);
    const { clock, random } = this;
    const log: Log = (entry) => {
      this.log(entry);
      if (entry.event !== 'index is made anew') return;
      // It holds what was sealed with a key that is destroyed, if the process ended before the next checkpoint.
      const isGone = isMailError(entry.error, 'EXPUNGED');
      if (!this.#damaged && !isGone) this.oddity ??= entry.error;
      this.#damaged = false;
    };
    const engine = withDefaults({ ...this.options.store, clock, random, log });
    const later = (work: () => void) => this.#later(work);
    const index =
      this.options.index &&
      new Index({
        ...{ directories: [this.directory], log, cache: engine.cache },
        rebuild: (id, lsn, vault) => rebuildMailbox(disk, { id, lsn, vault, rules: engine.rules }),
      });
    this.#index = index;
    const store = await openJournalStore(
      {
        ...engine,
        ...{ disk, keyDisks: [keys], ...(index ? { facts: index.facts } : {}) },
        ...(this.options.encrypted ? { encryption: { masterKey } } : {}),
        link: (about) => new InlineLink(new JournalWriter(disk, about), log, later),
      },
      index && ((id, vault, fits) => index.load(id, vault, fits)),
    );
    if (index) this.#keepCheckpoints(store, index);
    this.store = store;
    return store;
  }

  #keepCheckpoints(store: JournalStore, index: Index): void {
    const { checkpointOctets: octets, checkpointMs: everyMs } = this.options.index as {
      checkpointOctets: number;
      checkpointMs: number;
    };
    const checkpoint = index.checkpoint.bind(index);
    index.checkpoint = (position) => {
      const done = checkpoint(position);
      this.#checkpoints.push(done);
      return done;
    };
    keepCheckpoints(store, index, { octets, everyMs, clock: this.clock });
  }

  #later(work: () => void): () => void {
    this.#works.push(work);
    return () => {
      this.#works = this.#works.filter((each) => each !== work);
    };
  }

  /** Whether the writer of the journal has something to do. */
  get busy(): boolean {
    return this.#works.length > 0;
  }

  /** The writer of the journal does what it has to do. */
  work(): void {
    const works = this.#works;
    this.#works = [];
    for (const each of works) if (!this.dead) each();
  }

  /** All that waits for nothing gets its turn; checkpoints take no time, so that a seed can be repeated. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#checkpoints.length > 0) await this.#checkpoints.pop();
  }

  /** Works and turns until it is done. @throws if it never is */
  async until<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const settled = promise.finally(() => (done = true));
    settled.catch(() => {});
    const started = Date.now();
    while (!done) {
      this.work();
      await this.turn();
      if (Date.now() - started > 20_000) throw new Error('it waits for ever');
    }
    return settled;
  }

  /** The process ends. With `power`, the disk forgets what was not synced. */
  async end(power: boolean): Promise<void> {
    if (!this.dead) {
      this.dead = true;
      if (power) this.#powerCut();
    }
    this.#life++;
    this.#works = [];
    this.store = undefined;
    this.cut = undefined;
    this.#mend();
    const index = this.#index;
    this.#index = undefined;
    await index?.close().catch(() => {});
    if (index && damageFiles(this.directory, this.random, this.log)) this.#damaged = true;
  }

  /** Closed as it should be. */
  async close(): Promise<void> {
    await this.until((this.store as JournalStore).close());
    this.store = undefined;
    this.#index = undefined;
    this.#life++;
    this.cut = undefined;
    this.#mend();
  }

  #powerCut(): void {
    this.disk.crash();
    this.keys.crash();
  }

  #mend(): void {
    this.disk.mend();
    this.keys.mend();
  }

  /** Another machine with what is on this one's disk. It has no index. */
  copy(): Machine {
    const copy = new Machine(this.random, { ...this.options, index: undefined }, '', this.log);
    copy.disk = this.disk.copy();
    copy.keys = this.keys.copy();
    copy.clock = fakeClock(this.clock.now());
    return copy;
  }

  remove(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  /** A disk as one process sees it: when that has ended, it can do nothing more. */
  #incarnation(life: number, disk: FakeDisk): Disk {
    const call = <T>(action: () => T, middle: () => void = () => {}): T => {
      if (this.dead || life !== this.#life) throw new PowerIsGone();
      const { cut } = this;
      if (!cut || cut.after-- > 0) return action();
      if (cut.when === 'middle') middle();
      if (cut.when === 'after') {
        try {
          action();
        } catch {
          // It failed, and nobody will know.
        }
      }
      this.dead = true;
      this.#powerCut();
      throw new PowerIsGone();
    };
    const alive = <T>(action: () => T): T => {
      if (this.dead || life !== this.#life) throw new PowerIsGone();
      return action();
    };
    const fileOf = (file: DiskFile): DiskFile => ({
      write: (parts, position) =>
        call(
          () => file.write(parts, position),
          () => {
            const octets = Buffer.concat(parts);
            file.write([octets.subarray(0, this.random.integer(octets.length + 1))], position);
          },
        ),
      truncate: (size) => call(() => file.truncate(size)),
      sync: () => call(() => file.sync()),
      read: (into, position) => alive(() => file.read(into, position)),
      size: () => alive(() => file.size()),
      close: () => alive(() => file.close()),
    });
    return {
      list: () => alive(() => disk.list()),
      open: (name, mode) =>
        mode === 'read'
          ? fileOf(alive(() => disk.open(name, mode)))
          : fileOf(call(() => disk.open(name, mode))),
      remove: (name) => call(() => disk.remove(name)),
      rename: (from, to) => call(() => disk.rename(from, to)),
      syncDirectory: () => call(() => disk.syncDirectory()),
    };
  }
}

export const directoryFor = (seed: number): string => {
  const root = fs.existsSync('/dev/shm') ? '/dev/shm' : (process.env['TMPDIR'] ?? '/tmp');
  return fs.mkdtempSync(path.join(root, `msk-sim-${seed}-`));
};
