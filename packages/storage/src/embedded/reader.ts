/** Octets from the journal while it is being written. */
import { crc32 } from 'node:zlib';
import { MailError, isMailError, type Disk } from '@mail-server-kit/core';
import type { Extent } from '../state/pieces.ts';
import type { Journal } from './journal.ts';
import { offsetAt, segmentAt } from './layout.js';
import { MirrorDisk } from './mirror/mirror-disk.ts';
import { openSegment, type SegmentFile } from './segments.ts';

/** Segments kept open. */
const OPEN_FILES = 64;

/** Octets read at once while messages are read in their order. A call of the system costs as much as copying 30 KB. */
const WINDOW = 131_072;
/** Octets passed over between two reads that still count as one after the other. */
const GAP = 32_768;

export class JournalReader {
  /** Least recently used first. */
  readonly #files = new Map<number, SegmentFile>();
  readonly #window = Buffer.allocUnsafeSlow(WINDOW);
  #windowPlace = 0;
  #windowOctets = 0;
  /** Where the last read ended. */
  #next = -1;

  constructor(
    readonly disk: Disk,
    readonly journal: () => Journal,
  ) {}

  /**
   * A copy of its own. `before`: octets in front of `place` that will be asked for next.
   * @throws MailError CORRUPTION if there are not so many
   */
  read(place: number, octets: number, before = 0): Uint8Array {
    const atHand = this.journal().atHand(place, octets);
    if (atHand) return atHand;
    const bytes = Buffer.allocUnsafe(octets);
    if (!this.#inWindow(place, octets)) this.#look(place - before, octets + before);
    if (this.#inWindow(place, octets)) {
      const at = place - this.#windowPlace;
      this.#window.copy(bytes, 0, at, at + octets);
    } else {
      const file = this.#file(segmentAt(place));
      if (file.read(bytes, offsetAt(place)) < octets) throw file.kept ? leftOut() : broken(place);
    }
    this.#next = place + octets;
    return bytes;
  }

  #inWindow(place: number, octets: number): boolean {
    const at = place - this.#windowPlace;
    return at >= 0 && at + octets <= this.#windowOctets;
  }

  /** Fills the window if it helps: with what follows when reads go forward, else with no more than will be asked for. */
  #look(place: number, octets: number): void {
    const gap = place - this.#next;
    const forward = gap >= 0 && gap <= GAP;
    const segment = segmentAt(place);
    const { segment: last, offset: end } = this.journal().durableEnd;
    const start = offsetAt(place);
    // What is not durable yet may still change under us.
    const there = segment < last ? Infinity : segment === last ? end - start : 0;
    const wanted = Math.min(forward ? WINDOW : octets, there);
    if (wanted < octets || octets > WINDOW) return;
    this.#windowOctets = 0;
    this.#windowOctets = this.#file(segment).read(this.#window.subarray(0, wanted), start);
    this.#windowPlace = place;
  }

  /**
   * What `parse` makes of the octets there. If it finds them damaged, of those on the other side of a mirror.
   * @throws MailError CORRUPTION if they are damaged on every side; what `parse` throws
   */
  parsed<T>(place: number, octets: number, parse: (bytes: Uint8Array) => T, before = 0): T {
    try {
      return parse(this.read(place, octets, before));
    } catch (error) {
      if (!isMailError(error, 'CORRUPTION') || !(this.disk instanceof MirrorDisk)) throw error;
      for (const copy of this.disk.copies) {
        const found = fromCopy(copy, place, octets, parse);
        if (!found) continue;
        this.#windowOctets = 0;
        this.disk.suspect(segmentAt(place));
        return found.value;
      }
      throw error;
    }
  }

  /** @throws MailError CORRUPTION if the checksum is wrong */
  extent({ place, octets, crc, skip, take }: Extent): Uint8Array {
    return this.parsed(place, octets, (bytes) => {
      if (crc32(bytes) !== crc) throw broken(place);
      return bytes.subarray(skip, skip + take);
    });
  }

  #file(segment: number): SegmentFile {
    let file = this.#files.get(segment);
    if (file) this.#files.delete(segment);
    else {
      try {
        file = openSegment(this.disk, segment);
      } catch (error) {
        throw new MailError('CORRUPTION', `Segment ${segment} of the journal cannot be read`, {
          cause: error,
        });
      }
    }
    this.#files.set(segment, file);
    if (this.#files.size > OPEN_FILES) {
      const [oldest, old] = this.#files.entries().next().value as [number, SegmentFile];
      this.#files.delete(oldest);
      old.close();
    }
    return file;
  }

  /** After the file of a segment was replaced. */
  reopen(segment: number): void {
    this.#files.get(segment)?.close();
    this.#files.delete(segment);
    if (segmentAt(this.#windowPlace) === segment) this.#windowOctets = 0;
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }
}

/** Undefined: it is no better there. */
function fromCopy<T>(
  disk: Disk,
  place: number,
  octets: number,
  parse: (bytes: Uint8Array) => T,
): { readonly value: T } | undefined {
  try {
    const file = openSegment(disk, segmentAt(place));
    try {
      const bytes = Buffer.allocUnsafe(octets);
      const read = file.read(bytes, offsetAt(place));
      return read < octets ? undefined : { value: parse(bytes) };
    } finally {
      file.close();
    }
  } catch {
    return undefined;
  }
}

/** Nobody should need it any more: whoever asks has a snapshot that is older than what is promised. */
const leftOut = () => new MailError('EXPUNGED', 'The message was expunged long ago');

const broken = (place: number) =>
  new MailError('CORRUPTION', 'Stored octets are damaged', {
    cause: { segment: segmentAt(place), offset: offsetAt(place) },
  });
