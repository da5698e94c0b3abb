/**
 * A folder on every side as one: written to all of them, read from the first that can. Sides that hold everything are alike
 * octet by octet, so a place in a file means the same on each.
 */
import type { Disk, DiskFile } from '@mail-server-kit/core';
import { segmentOf } from '../layout.js';
import { reasonOf, type Place, type Side, type Sides } from './sides.ts';

export class MirrorDisk implements Disk {
  readonly #sides: Sides;
  readonly #folder: (place: Place) => Disk;

  /** `folder`: of each side, and the same one at each call. */
  constructor(sides: Sides, folder: (place: Place) => Disk = ({ journal }) => journal) {
    this.#sides = sides;
    this.#folder = folder;
  }

  /** Of each side that holds everything: to look at another copy when a checksum is wrong. */
  get copies(): readonly Disk[] {
    return this.#sides.whole.map(({ place }) => this.#folder(place));
  }

  /** A checksum was wrong on the first side, and right on another. */
  suspect(segment: number): void {
    this.#sides.onSuspect(segment);
  }

  list(): string[] {
    return this.#first((disk) => disk.list());
  }

  open(name: string, mode: 'read' | 'write'): DiskFile {
    return mode === 'write'
      ? new WrittenFile(this.#sides, (place) => this.#folder(place).open(name, 'write'))
      : new ReadFile(this.#sides, name, (place) => this.#folder(place).open(name, 'read'));
  }

  remove(name: string): void {
    this.#sides.changing(name);
    this.#each((disk) => {
      try {
        disk.remove(name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    });
  }

  rename(from: string, to: string): void {
    this.#sides.changing(from);
    this.#sides.changing(to);
    this.#each((disk) => disk.rename(from, to));
  }

  syncDirectory(): void {
    this.#each((disk) => disk.syncDirectory());
  }

  async syncDirectoryApart(): Promise<void> {
    await onEachApart(this.#sides, this.#sides.writers, async ({ place }) => {
      const disk = this.#folder(place);
      await (disk.syncDirectoryApart?.() ?? disk.syncDirectory());
    });
  }

  /** Of the side that has least. */
  free(): number {
    const known = this.#sides.writers.flatMap(({ place }) => this.#folder(place).free?.() ?? []);
    return Math.min(...known);
  }

  #first<T>(read: (disk: Disk) => T): T {
    let failed: unknown;
    for (const { place } of this.#sides.whole) {
      try {
        return read(this.#folder(place));
      } catch (error) {
        failed ??= error;
      }
    }
    throw failed;
  }

  #each(change: (disk: Disk) => void): void {
    onEach(this.#sides, this.#sides.writers, ({ place }) => change(this.#folder(place)));
  }
}

/** A side that fails is left behind, unless it is the last. No room is the caller's business: it takes back what it began. */
function onEach(sides: Sides, writers: readonly Side[], change: (side: Side) => void): void {
  for (const side of writers) {
    if (side.state === 'out') continue;
    try {
      change(side);
    } catch (error) {
      // A name that was made before it joined: it gets the file once more, whole.
      if (side.state === 'filling') continue;
      if (reasonOf(error) === 'full') throw error;
      sides.lose(side, reasonOf(error), error);
    }
  }
}

/** The same for what takes its time. */
async function onEachApart(
  sides: Sides,
  writers: readonly Side[],
  change: (side: Side) => Promise<void>,
): Promise<void> {
  for (const side of writers) {
    const failed = await change(side).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    onEach(sides, [side], () => {
      if (failed) throw failed.error;
    });
  }
}

class WrittenFile implements DiskFile {
  readonly #sides: Sides;
  readonly #files = new Map<Side, DiskFile>();

  constructor(sides: Sides, open: (place: Place) => DiskFile) {
    this.#sides = sides;
    onEach(sides, sides.writers, (side) => this.#files.set(side, open(side.place)));
  }

  #each(change: (file: DiskFile) => void): void {
    onEach(this.#sides, [...this.#files.keys()], (side) =>
      change(this.#files.get(side) as DiskFile),
    );
  }

  write(parts: readonly Uint8Array[], position: number): void {
    this.#each((file) => file.write(parts, position));
  }

  read(into: Uint8Array, position: number): number {
    return this.#one().read(into, position);
  }

  size(): number {
    return this.#one().size();
  }

  #one(): DiskFile {
    for (const [{ state }, file] of this.#files) if (state === 'whole') return file;
    throw new Error('no side has this file');
  }

  truncate(size: number): void {
    this.#each((file) => file.truncate(size));
  }

  sync(): void {
    this.#each((file) => file.sync());
  }

  syncApart(): Promise<void> {
    return onEachApart(this.#sides, [...this.#files.keys()], async (side) => {
      const file = this.#files.get(side) as DiskFile;
      await (file.syncApart?.() ?? file.sync());
    });
  }

  close(): void {
    for (const file of this.#files.values()) {
      try {
        file.close();
      } catch {
        // Of a side that is out.
      }
    }
  }
}

class ReadFile implements DiskFile {
  readonly #sides: Sides;
  readonly #name: string;
  readonly #open: (place: Place) => DiskFile;
  #file: DiskFile;
  #side: Side;

  constructor(sides: Sides, name: string, open: (place: Place) => DiskFile) {
    this.#sides = sides;
    this.#name = name;
    this.#open = open;
    [this.#side, this.#file] = this.#openOne([]);
  }

  /** @throws the system's error of the first side if none can */
  #openOne(not: readonly Side[]): [Side, DiskFile] {
    let failed: unknown;
    for (const side of this.#sides.whole) {
      if (not.includes(side)) continue;
      try {
        const file = this.#open(side.place);
        if (failed !== undefined) this.#suspect();
        return [side, file];
      } catch (error) {
        failed ??= error;
      }
    }
    throw failed ?? new Error('no side has this file');
  }

  #suspect(): void {
    const segment = segmentOf(this.#name);
    if (segment !== undefined) this.#sides.onSuspect(segment);
  }

  read(into: Uint8Array, position: number): number {
    return this.#try((file) => file.read(into, position));
  }

  size(): number {
    return this.#try((file) => file.size());
  }

  #try<T>(read: (file: DiskFile) => T): T {
    const tried: Side[] = [];
    // What is written now is not in the files of a side that is out.
    if (this.#side.state !== 'whole') this.#turnTo(this.#openOne([]));
    for (;;) {
      try {
        return read(this.#file);
      } catch (error) {
        tried.push(this.#side);
        if (this.#sides.whole.every((side) => tried.includes(side))) throw error;
        this.#turnTo(this.#openOne(tried));
        this.#suspect();
      }
    }
  }

  #turnTo([side, file]: [Side, DiskFile]): void {
    this.close();
    [this.#side, this.#file] = [side, file];
  }

  write(): void {
    throw Object.assign(new Error('EBADF: opened to be read'), { code: 'EBADF' });
  }

  truncate(): void {
    this.write();
  }

  sync(): void {
    this.write();
  }

  close(): void {
    try {
      this.#file.close();
    } catch (error) {
      // A side that is out may fail at everything.
      if (this.#side.state === 'whole') throw error;
    }
  }
}
