import type { SeededRandom } from './random.ts';

/** What a disk writes whole or not at all. */
const SECTOR = 512;

type Change =
  { readonly position: number; readonly octets: Uint8Array } | { readonly size: number };

/** One file: what programs see of it, what the disk has, and the changes in between. */
export class SimulatedFile {
  #seen = new Octets();
  #durable = new Octets();
  #unsynced: Change[] = [];

  get size(): number {
    return this.#seen.size;
  }

  read(into: Uint8Array, position: number): number {
    const octets = this.#seen.slice(position, position + into.length);
    into.set(octets);
    return octets.length;
  }

  write(octets: Uint8Array, position: number): void {
    this.#change({ position, octets });
  }

  truncate(size: number): void {
    this.#change({ size });
  }

  sync(): void {
    for (const change of this.#unsynced) this.#durable.apply(change);
    this.#unsynced = [];
  }

  /** A sync that failed: this and that was written, and the rest is forgotten though it can still be read. */
  loseUnsynced(random: SeededRandom): void {
    this.#durable = this.#afterCrash(random);
    this.#unsynced = [];
  }

  crash(random: SeededRandom): void {
    this.#durable = this.#afterCrash(random);
    this.#unsynced = [];
    this.#seen = this.#durable.copy();
  }

  flip(position: number, bit: number): void {
    if (position < 0 || position >= this.#seen.size)
      throw new TypeError('beyond the end of the file');
    this.#seen.flip(position, bit);
    if (position < this.#durable.size) this.#durable.flip(position, bit);
  }

  #change(change: Change): void {
    this.#unsynced.push(change);
    this.#seen.apply(change);
  }

  /**
   * The cache writes sectors back when it likes, each as it is at that moment: so every sector, and the size, is as it was
   * after some number of the changes, but never holds a later change without the earlier ones.
   */
  #afterCrash(random: SeededRandom): Octets {
    const changes = this.#unsynced;
    const mood = random.pick(['lost', 'kept', 'mixed', 'mixed'] as const);
    const choose = () => {
      if (mood === 'mixed') return random.integer(changes.length + 1);
      return mood === 'kept' ? changes.length : 0;
    };
    if (changes.length === 0) return this.#durable.copy();

    const touched = new Set<number>();
    let size = this.#durable.size;
    const sizes = [size];
    for (const change of changes) {
      const from = 'octets' in change ? change.position : Math.min(change.size, size);
      const to =
        'octets' in change ? change.position + change.octets.length : Math.max(change.size, size);
      for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++)
        touched.add(sector);
      size = 'octets' in change ? Math.max(size, to) : change.size;
      sizes.push(size);
    }

    // The size that comes out applies last: octets beyond it cannot be seen, octets never written are zero.
    const result = this.#durable.copy();
    const finalSize = sizes[choose()] as number;
    for (const sector of touched) {
      const start = sector * SECTOR;
      const octets = new Uint8Array(SECTOR);
      octets.set(this.#durable.slice(start, start + SECTOR));
      for (const change of changes.slice(0, choose())) applyToSector(octets, start, change);
      result.apply({ position: start, octets });
    }
    result.apply({ size: finalSize });
    return result;
  }
}

function applyToSector(sector: Uint8Array, start: number, change: Change): void {
  if ('size' in change) {
    if (change.size < start + SECTOR) sector.fill(0, Math.max(0, change.size - start));
    return;
  }
  const from = Math.max(start, change.position);
  const to = Math.min(start + SECTOR, change.position + change.octets.length);
  if (from < to)
    sector.set(change.octets.subarray(from - change.position, to - change.position), from - start);
}

/** Octets that grow; what lies between the end and a later write is zero. */
class Octets {
  #octets = new Uint8Array(0);
  size = 0;

  slice(start: number, end: number): Uint8Array {
    return this.#octets.subarray(Math.min(start, this.size), Math.min(end, this.size));
  }

  copy(): Octets {
    const copy = new Octets();
    copy.#octets = this.#octets.slice(0, this.size);
    copy.size = this.size;
    return copy;
  }

  flip(position: number, bit: number): void {
    this.#octets[position] = (this.#octets[position] as number) ^ (1 << (bit & 7));
  }

  apply(change: Change): void {
    if ('octets' in change) {
      this.#resize(Math.max(this.size, change.position + change.octets.length));
      this.#octets.set(change.octets, change.position);
    } else {
      this.#octets.fill(0, Math.min(change.size, this.size), this.size);
      this.#resize(change.size);
    }
  }

  #resize(size: number): void {
    if (size > this.#octets.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#octets.length));
      larger.set(this.#octets.subarray(0, this.size));
      this.#octets = larger;
    }
    this.size = size;
  }
}
