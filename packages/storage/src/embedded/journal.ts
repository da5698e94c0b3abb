/**
 * The end of the journal: gives every record its number and place and hands it to the writer. Places are decided here and
 * not in the thread, so that a commit knows where its messages lie before they are written.
 */
import { MailError } from '@mail-server-kit/core';
import { readOnly } from '../state/commits.ts';
import {
  RECORD_HEADER,
  SEGMENT_HEADER,
  aligned,
  placeOf,
  sealRecord,
  type RecordPart,
} from './layout.js';
import type { Link } from './link.ts';
import { Queue } from './queue.ts';
import type { Position } from './scan.ts';
import { full } from './space/free-space.ts';

/** Where the next record goes. */
export interface Tail {
  readonly segment: number;
  readonly offset: number;
  /** Octets of that segment. */
  readonly capacity: number;
  /** Given last. */
  readonly lsn: number;
}

export interface Placed {
  readonly lsn: number;
  /** Of the record's header. */
  readonly place: number;
}

export interface JournalOptions {
  readonly link: Link;
  readonly tail: Tail;
  /** Of new segments. */
  readonly segmentOctets: number;
  readonly seed: number;
}

interface InFlight {
  readonly place: number;
  readonly octets: number;
  readonly parts: readonly Uint8Array[];
}

export class Journal {
  readonly #link: Link;
  readonly #segmentOctets: number;
  readonly #seed: number;
  #segment: number;
  #offset: number;
  #capacity: number;
  #lsn: number;
  #durable: number;
  #durableEnd: Position;
  /** Everything up to here is known to be on disk. */
  #synced: number;
  /** Written records that a read may ask for before they are in the file, in their order. */
  readonly #inFlight = new Queue<InFlight>();
  /** Octets appended since the store was opened. */
  appended = 0;
  /** Called with each segment that is begun and the LSN of its first record. */
  onSegment: (segment: number, lsn: number, octets: number) => void = () => {};

  constructor({ link, tail, segmentOctets, seed }: JournalOptions) {
    this.#link = link;
    this.#segmentOctets = segmentOctets;
    this.#seed = seed;
    this.#segment = tail.segment;
    this.#offset = tail.offset;
    this.#capacity = tail.capacity;
    this.#lsn = tail.lsn;
    this.#durable = tail.lsn;
    this.#synced = tail.lsn;
    this.#durableEnd = { segment: tail.segment, offset: tail.offset, lsn: tail.lsn };
    // One segment more than is in use: what frees space must go on working when the disk is full.
    link.want(tail.segment + 1);
  }

  /** Everything up to here counts: it is on disk, or at least written if that is all that was asked for. */
  get durable(): number {
    return this.#durable;
  }

  /** Where the first record lies that does not count yet. */
  get durableEnd(): Position {
    return this.#durableEnd;
  }

  get end(): Tail {
    return {
      segment: this.#segment,
      offset: this.#offset,
      capacity: this.#capacity,
      lsn: this.#lsn,
    };
  }

  /** Octets that are not written yet. */
  get backlog(): number {
    return this.#link.backlog;
  }

  /** Of a payload. */
  get maxPayload(): number {
    return this.#segmentOctets - SEGMENT_HEADER - RECORD_HEADER;
  }

  /**
   * Appends a record whose payload consists of `parts`, which stay as they are until `done`. `freeing`: it may use the last
   * segment. Undefined: there is no room yet.
   * @throws MailError FULL if the disk is, UNAVAILABLE if the journal failed, LIMIT if it is too large for any segment
   */
  append(
    parts: readonly RecordPart[],
    { type, bodies = 0, sync, counts = sync, freeing = false }: AppendOptions,
    done: (error?: MailError) => void,
  ): Placed | undefined {
    if (this.#link.failed) throw readOnly(this.#link.failed);
    const head = Buffer.allocUnsafe(RECORD_HEADER);
    const written: Uint8Array[] = [head];
    let octets = RECORD_HEADER;
    for (const { bytes } of parts) {
      written.push(bytes);
      octets += bytes.length;
    }
    if (octets - RECORD_HEADER > this.maxPayload) {
      throw new MailError('LIMIT', 'Too much for one change');
    }
    if (!this.#roll(octets, freeing)) return undefined;
    const lsn = ++this.#lsn;
    const segment = this.#segment;
    const offset = this.#offset;
    const place = placeOf(segment, offset);
    sealRecord(head, parts, { segment, lsn, type, bodies, durable: this.#synced }, this.#seed);
    const next = offset + aligned(octets);
    this.#inFlight.push({ place, octets, parts: written });
    this.#link.write(written, segment, offset, sync, (error) => {
      // They come back in the order in which they were handed over.
      this.#inFlight.shift();
      if (error !== undefined) {
        done(new MailError('UNKNOWN', 'The mail store failed', { cause: error }));
        return;
      }
      if (sync) this.#synced = lsn;
      if (counts) {
        this.#durable = lsn;
        this.#durableEnd = { segment, offset: next, lsn };
      }
      done();
    });
    this.#offset = next;
    this.appended += octets;
    if (next > this.#capacity / 4) this.#link.want(segment + 2);
    return { lsn, place };
  }

  /** Brings to disk what was appended so far. */
  sync(done: (error?: MailError) => void = () => {}): void {
    if (this.#link.failed) {
      done(readOnly(this.#link.failed));
      return;
    }
    const lsn = this.#lsn;
    this.#link.write([], this.#segment, this.#offset, true, (error) => {
      if (error === undefined) {
        this.#synced = Math.max(this.#synced, lsn);
        done();
      } else done(new MailError('UNKNOWN', 'The mail store failed', { cause: error }));
    });
  }

  /** Calls `look` at a moment when all that counts is on disk; never if the journal fails before. */
  async settled<T>(look: () => T | Promise<T>): Promise<T | undefined> {
    if (this.#synced >= this.#durable) return look();
    return new Promise((resolve) => {
      // What was handed over later is answered later, so nothing counts now that is not on disk.
      this.sync((error) => resolve(error ? undefined : look()));
    });
  }

  /** Goes on to the next segment if it must; false: that is not there yet. */
  #roll(octets: number, freeing: boolean): boolean {
    if (this.#offset + octets <= this.#capacity) return true;
    const reserve = freeing ? 1 : 2;
    if (this.#link.ready < this.#segment + reserve) {
      if (this.#link.full) {
        // Asked for again, so that the next one succeeds once there is room.
        this.#link.want(this.#segment + 2);
        throw full();
      }
      this.#link.want(this.#segment + 2);
      return false;
    }
    this.#segment++;
    this.#offset = SEGMENT_HEADER;
    this.#capacity = this.#segmentOctets;
    this.onSegment(this.#segment, this.#lsn + 1, this.#capacity);
    return true;
  }

  /** A copy of the octets at `place` if they are on their way. */
  atHand(place: number, octets: number): Uint8Array | undefined {
    for (const record of this.#inFlight) {
      let at = place - record.place;
      if (at < 0 || at + octets > record.octets) continue;
      const out = new Uint8Array(octets);
      let done = 0;
      for (const part of record.parts) {
        if (at < part.length && done < octets) {
          const slice = part.subarray(at, at + octets - done);
          out.set(slice, done);
          done += slice.length;
        }
        at = Math.max(0, at - part.length);
      }
      return out;
    }
    return undefined;
  }
}

export interface AppendOptions {
  readonly type: number;
  readonly bodies?: number;
  /** `done` waits until it is on disk. */
  readonly sync: boolean;
  /** From `done` on it counts, synced or not. Default: if it is synced. */
  readonly counts?: boolean;
  readonly freeing?: boolean;
}
