/**
 * Writes the journal's segment files: octets where it is told, one sync for a group, and zeros ahead, so that a sync need
 * not record a new file size (this halves it). Runs in the journal thread, or in a test on a simulated disk.
 */
import { SEGMENT_HEADER, segmentHeader, segmentName } from './layout.js';

/**
 * Octets of zeros written and synced in one step. Between two steps commits get their turn; a whole segment that is synced
 * at once would hold them up for a fifth of a second.
 */
const STEP = 262_144;
/** Up to so many in a step if it is late. */
const zeros = new Uint8Array(4 * STEP);

/**
 * Zeros written for each octet of the journal while there is no pause: they are asked for when a quarter of a segment is
 * used, and the next one has to be ready before the rest is.
 */
const PACE = 1.5;

export class JournalWriter {
  /** @type {import('@mail-server-kit/core').Disk} */
  #disk;
  #octets;
  #store;
  #generation;
  /** @type {{ segment: number, file: import('@mail-server-kit/core').DiskFile, dirty: boolean } | undefined} */
  #current;
  /** @type {{ segment: number, file: import('@mail-server-kit/core').DiskFile, done: number } | undefined} */
  #next;

  /**
   * @param {import('@mail-server-kit/core').Disk} disk
   * @param {{ octets: number, store: Uint8Array, generation: number, ready: number }} options
   *   `octets`: of a new segment; `ready`: the last segment that is there
   */
  constructor(disk, { octets, store, generation, ready }) {
    this.#disk = disk;
    this.#octets = octets;
    this.#store = store;
    this.#generation = generation;
    /** The last segment that may be written to. */
    this.ready = ready;
    /** Segments up to this one are wanted. */
    this.want = ready;
    /** The disk had no room for the next one. Whoever sets it to false makes it try again. */
    this.full = false;
    /** Octets of zeros that are due. */
    this.due = 0;
  }

  /**
   * @param {readonly Uint8Array[]} parts
   * @param {number} segment
   * @param {number} offset
   */
  write(parts, segment, offset) {
    if (this.#current?.segment !== segment) {
      // What comes now must never be on disk without what was before it.
      this.sync();
      this.#current?.file.close();
      this.#current = undefined;
      const file = this.#disk.open(segmentName(segment), 'write');
      this.#current = { segment, file, dirty: false };
    }
    this.#current.dirty = true;
    this.#current.file.write(parts, offset);
    if (this.preparing) for (const part of parts) this.due += Math.ceil(PACE * part.length);
  }

  sync() {
    if (!this.#current?.dirty) return;
    this.#current.file.sync();
    this.#current.dirty = false;
  }

  /** Whether `prepare` has something to do. */
  get preparing() {
    return this.ready < this.want && !this.full;
  }

  /** Whether a step cannot wait for a pause. */
  get late() {
    return this.due >= STEP && this.preparing;
  }

  /** One step towards the next segment. A full disk is not an error: it is remembered. */
  prepare() {
    try {
      this.#step();
    } catch (error) {
      this.#giveUp();
      this.full = true;
      return error;
    }
    return undefined;
  }

  #step() {
    const segment = this.ready + 1;
    const name = newName(segment);
    this.#next ??= { segment, file: this.#disk.open(name, 'write'), done: 0 };
    const { file, done } = this.#next;
    const octets = Math.min(Math.max(STEP, this.due), zeros.length, this.#octets - done);
    let bytes = zeros.subarray(0, octets);
    if (done === 0) {
      bytes = new Uint8Array(octets);
      const header = { segment, octets: this.#octets, generation: this.#generation };
      bytes.set(segmentHeader({ ...header, store: this.#store }).subarray(0, SEGMENT_HEADER));
    }
    file.write([bytes], done);
    file.sync();
    this.#next.done += octets;
    this.due = Math.max(0, this.due - octets);
    if (this.#next.done < this.#octets) return;
    file.close();
    this.#next = undefined;
    // Only a whole segment has the name of one.
    this.#disk.rename(name, segmentName(segment));
    this.#disk.syncDirectory();
    this.ready = segment;
  }

  #giveUp() {
    if (!this.#next) return;
    const { file, segment } = this.#next;
    this.#next = undefined;
    try {
      file.close();
      this.#disk.remove(newName(segment));
    } catch {
      // It is overwritten at the next try.
    }
  }

  close() {
    this.#giveUp();
    this.#current?.file.close();
    this.#current = undefined;
  }
}

/** @param {number} segment */
const newName = (segment) => `${segmentName(segment)}.new`;
