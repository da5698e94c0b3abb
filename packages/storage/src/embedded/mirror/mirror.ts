/** The sides of a store as the engine needs them: one disk, one link, and somebody who looks after them. */
import type { Disk } from '@mail-server-kit/core';
import type { LinkOptions } from '../engine.ts';
import type { Journal } from '../journal.ts';
import { seedOf } from '../layout.js';
import type { Link } from '../link.ts';
import type { Damage, ScrubReport, StoreHealth } from './events.ts';
import { Keeping, type KeepingOptions } from './keeping.ts';
import { MirrorDisk } from './mirror-disk.ts';
import { MirrorLink } from './mirror-link.ts';
import { MirroredFile } from './mirrored-file.ts';
import { beginStore, openSides, type OpenedSides } from './opening.ts';
import type { Runner } from './runner.ts';
import { settleSides } from './settling.ts';
import { Sides, reasonOf, type Place, type Side, type World } from './sides.ts';

/** What looks after the sides needs of the rest of the store. */
export interface Surroundings {
  readonly journal: Journal;
  readonly runner: Runner;
  readonly watchMs: number;
  readonly patienceMs: number;
  readonly scrubMs: number;
  readonly addKeys: (side: Side) => void;
  readonly addIndex: (side: Side) => Promise<void>;
  readonly dropIndex: (side: Side) => void;
  readonly scrubIndex: () => Promise<readonly Damage[]>;
}

export class Mirror {
  readonly sides: Sides;
  readonly disk: MirrorDisk;
  readonly #link: MirrorLink;
  readonly #opened: OpenedSides;
  readonly #files: { readonly folder: string; readonly file: MirroredFile }[] = [];
  #about: LinkOptions | undefined;
  #keeping: Keeping | undefined;
  #starting: readonly (Promise<void> | undefined)[] = [];

  /** @throws MailError CANNOT, UNAVAILABLE */
  constructor(places: readonly Place[], world: World) {
    this.sides = new Sides(places, world);
    this.disk = new MirrorDisk(this.sides);
    this.#link = new MirrorLink({
      clock: world.clock,
      lose: (side, reason, error) => this.sides.lose(side, reason, error),
      onFailed: (error) => this.sides.fail(error),
    });
    this.sides.onFatal = (error) => this.#link.fail(error);
    try {
      this.#opened = openSides(this.sides);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /**
   * A folder beside the journal's as one disk.
   * @throws the system's error if it cannot be made anywhere
   */
  folder(name: string): Disk {
    return new MirrorDisk(this.sides, (place) => place.other(name));
  }

  /** The folder `keys` of each side that is whole; none where it is not there, unless they are to be made. */
  keyDisks(make: boolean): readonly Disk[] {
    const there = this.sides.whole.filter(({ place }) => make || place.has('keys'));
    return there.map(({ place }) => place.other('keys'));
  }

  /** A side cannot write its keys. @throws `error` if there is no other */
  keyDiskLost(disk: Disk, error: unknown): void {
    const side = this.sides.whole.find(({ place }) => place.other('keys') === disk);
    if (side) this.sides.lose(side, reasonOf(error), error);
  }

  /** A small file on every side, which a side that is filled gets too. */
  file(folder: string, name: string, store: Uint8Array): MirroredFile {
    const disks = () => this.sides.writers.map(({ place }) => place.other(folder));
    const file = new MirroredFile({
      ...{ name, store, disks },
      lost: (disk, error) => {
        const side = this.sides.all.find(({ place }) => place.other(folder) === disk) as Side;
        if (side.state === 'whole' && this.sides.whole.length === 1) throw error;
        this.#link.drop(side, reasonOf(error), error);
        if (this.#link.failed !== undefined) throw error;
      },
    });
    this.#files.push({ folder, file });
    return file;
  }

  /** The store is known, or has just been made. */
  begin(store: Uint8Array): void {
    beginStore(this.sides, store);
  }

  /** Makes the journals alike from this segment on, before they are replayed. @throws MailError CORRUPTION */
  settle(segment: number, store: Uint8Array): void {
    settleSides(this.sides, segment, seedOf(store));
  }

  /** The writer of the journal. */
  link(about: LinkOptions): Link {
    this.#about = about;
    this.#starting = this.sides.whole.map((side) => {
      const link = side.place.link(about);
      this.#link.join(side, link);
      return link.started;
    });
    return this.#link;
  }

  /** @throws the reason why a thread cannot start */
  async started(): Promise<void> {
    await Promise.all(this.#starting);
  }

  /** Looks after the sides from now on. */
  keep({ dropIndex, ...around }: Surroundings): void {
    const { sides } = this;
    const progress = () => new Promise<void>((resolve) => this.#waiting.push(resolve));
    const about = this.#about as LinkOptions;
    const options: KeepingOptions = {
      ...around,
      ...{ sides, about, progress, link: this.#link, files: this.#files },
      ...{ seed: seedOf(about.store), scrubbed: this.file('journal', 'scrubbed', about.store) },
    };
    this.#keeping = new Keeping(options);
    const lost = sides.onLost;
    sides.onLost = (side) => {
      lost(side);
      // Whatever found out that it is gone, nothing waits for it any more.
      this.#link.drop(side, side.reason ?? 'failed', new Error(side.text));
      dropIndex(side);
    };
    if (this.#opened.doubtful) void this.scrub().catch(() => {});
    void this.#keeping.look();
  }

  readonly #waiting: (() => void)[] = [];

  /** To be called whenever a link has got further. */
  progressed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  health(): StoreHealth {
    return this.sides.health();
  }

  scrub(): Promise<ScrubReport> {
    return (this.#keeping as Keeping).scrub();
  }

  /** Looks at the sides now instead of at the next time; resolves when nothing is under way. */
  async look(): Promise<void> {
    await this.#keeping?.look();
    await this.#keeping?.idle();
  }

  /** Before the journal is closed. */
  async close(): Promise<void> {
    await this.#keeping?.close();
  }

  /** When the store could not be opened. */
  async abandon(): Promise<void> {
    await this.#link.close();
  }

  /** Gives the locks back. */
  release(): void {
    for (const { place } of this.sides.all) place.release();
  }
}
