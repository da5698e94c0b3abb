/** Octets from the journal while it is being written. */
import { crc32 } from 'node:zlib';
import { MailError, type Disk, type DiskFile } from '@mail-server-kit/core';
import type { Extent } from '../state/pieces.ts';
import type { Journal } from './journal.ts';
import { offsetAt, segmentAt, segmentName } from './layout.js';

/** Segments kept open. */
const OPEN_FILES = 64;

export class JournalReader {
  /** Least recently used first. */
  readonly #files = new Map<number, DiskFile>();

  constructor(
    readonly disk: Disk,
    readonly journal: () => Journal,
  ) {}

  /** @throws MailError CORRUPTION if there are not so many */
  read(place: number, octets: number): Uint8Array {
    const atHand = this.journal().atHand(place, octets);
    if (atHand) return atHand;
    const bytes = Buffer.allocUnsafe(octets);
    const read = this.#file(segmentAt(place)).read(bytes, offsetAt(place));
    if (read < octets) throw broken(place);
    return bytes;
  }

  /** @throws MailError CORRUPTION if the checksum is wrong */
  extent({ place, octets, crc, skip, take }: Extent): Uint8Array {
    const bytes = this.read(place, octets);
    if (crc32(bytes) !== crc) throw broken(place);
    return bytes.subarray(skip, skip + take);
  }

  #file(segment: number): DiskFile {
    let file = this.#files.get(segment);
    if (file) this.#files.delete(segment);
    else {
      try {
        file = this.disk.open(segmentName(segment), 'read');
      } catch (error) {
        throw new MailError('CORRUPTION', `Segment ${segment} of the journal cannot be read`, {
          cause: error,
        });
      }
    }
    this.#files.set(segment, file);
    if (this.#files.size > OPEN_FILES) {
      const [oldest, old] = this.#files.entries().next().value as [number, DiskFile];
      this.#files.delete(oldest);
      old.close();
    }
    return file;
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }
}

const broken = (place: number) =>
  new MailError('CORRUPTION', 'Stored octets are damaged', {
    cause: { segment: segmentAt(place), offset: offsetAt(place) },
  });
