/**
 * A small file that lies on every side, written as a whole: each copy has a number that counts up and a checksum, and the
 * newest whole one counts. Described octet by octet in docs/implement/store-format.md.
 */
import { crc32 } from 'node:zlib';
import { MailError, type Disk } from '@mail-server-kit/core';

const MAGIC = Buffer.from('MSKFILE\n', 'latin1');
const FORMAT = 1;
const HEADER = 48;
/** Of contents; what is larger is no such file. */
const MAX_OCTETS = 64 * 1_048_576;

export interface SmallFile {
  /** 16 octets that tell one store from another. */
  readonly store: Uint8Array;
  /** Counts up with each writing. */
  readonly sequence: number;
  readonly contents: Uint8Array;
}

export interface MirroredFileOptions {
  readonly name: string;
  readonly store: Uint8Array;
  /** Folders that hold it, one on each side that is in use. */
  readonly disks: () => readonly Disk[];
  /**
   * A side could not write it. Returns once the others know durably that they go on without it.
   * @throws what made it fail, if there is no other
   */
  readonly lost?: (disk: Disk, error: unknown) => void;
}

export class MirroredFile {
  readonly #options: MirroredFileOptions;
  #sequence = 0;

  constructor(options: MirroredFileOptions) {
    this.#options = options;
  }

  /**
   * The newest whole copy; undefined: there is none anywhere.
   * @throws MailError CORRUPTION if there are copies and none is whole; CANNOT if a later version or another store wrote it
   */
  read(): Uint8Array | undefined {
    const { name, store, disks } = this.#options;
    let newest: SmallFile | undefined;
    let damage: unknown;
    for (const disk of disks()) {
      try {
        const found = readSmallFile(disk, name);
        if (found && Buffer.compare(found.store, store) !== 0) {
          throw new MailError('CANNOT', `${name} belongs to another store`);
        }
        if (found && found.sequence > (newest?.sequence ?? 0)) newest = found;
      } catch (error) {
        damage = error;
      }
    }
    if (newest) {
      this.#sequence = newest.sequence;
      return newest.contents;
    }
    if (damage !== undefined) throw damage;
    return undefined;
  }

  /** Whole and durable on every side when it returns. @throws the system's error if no side could write it */
  write(contents: Uint8Array): void {
    const { name, store, disks, lost } = this.#options;
    const file: SmallFile = { store, sequence: this.#sequence + 1, contents };
    for (const disk of disks()) {
      try {
        writeSmallFile(disk, name, file);
      } catch (error) {
        if (!lost) throw error;
        lost(disk, error);
      }
    }
    this.#sequence++;
  }

  /** Whether this copy is whole and not behind. */
  isCurrent(disk: Disk): boolean {
    const contents = this.read();
    if (!contents) return true;
    try {
      return readSmallFile(disk, this.#options.name)?.sequence === this.#sequence;
    } catch {
      return false;
    }
  }

  /** Brings a side that is being filled up to date. */
  copyTo(disk: Disk): void {
    const contents = this.read();
    if (!contents) return;
    const { name, store } = this.#options;
    writeSmallFile(disk, name, { store, sequence: this.#sequence, contents });
  }
}

/** @throws MailError CORRUPTION, CANNOT; the system's error */
export function readSmallFile(disk: Disk, name: string): SmallFile | undefined {
  if (!disk.list().includes(name)) return undefined;
  const file = disk.open(name, 'read');
  try {
    const octets = Math.min(file.size(), HEADER + MAX_OCTETS);
    const bytes = Buffer.alloc(octets);
    const whole = file.read(bytes, 0) === octets && octets >= HEADER;
    if (!whole || !bytes.subarray(0, 8).equals(MAGIC)) throw damaged(name);
    if (bytes.readUInt32LE(12) !== octets - HEADER) throw damaged(name);
    if (sumOf(bytes) !== bytes.readUInt32LE(44)) throw damaged(name);
    // The second number is the oldest reader that understands the file.
    if (bytes.readUInt16LE(10) > FORMAT) {
      throw new MailError('CANNOT', `${name} was written by a later version`);
    }
    return {
      store: Uint8Array.from(bytes.subarray(16, 32)),
      sequence: bytes.readUIntLE(32, 6),
      contents: Uint8Array.from(bytes.subarray(HEADER)),
    };
  } finally {
    file.close();
  }
}

/** Never half: the name comes to be when everything is on the disk. @throws the system's error */
export function writeSmallFile(disk: Disk, name: string, file: SmallFile): void {
  const { store, sequence, contents } = file;
  const bytes = Buffer.alloc(HEADER + contents.length);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(FORMAT, 8);
  bytes.writeUInt16LE(FORMAT, 10);
  bytes.writeUInt32LE(contents.length, 12);
  bytes.set(store, 16);
  bytes.writeUIntLE(sequence, 32, 6);
  bytes.set(contents, HEADER);
  bytes.writeUInt32LE(sumOf(bytes), 44);
  const fresh = `${name}.new`;
  const to = disk.open(fresh, 'write');
  try {
    to.truncate(0);
    to.write([bytes], 0);
    to.sync();
  } finally {
    to.close();
  }
  disk.rename(fresh, name);
  disk.syncDirectory();
}

/** Over the contents, then the header up to the sum itself. */
const sumOf = (bytes: Buffer): number =>
  crc32(bytes.subarray(0, 44), crc32(bytes.subarray(HEADER)));

const damaged = (name: string) => new MailError('CORRUPTION', `${name} is damaged`);
