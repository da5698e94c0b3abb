/**
 * The keys of accounts on the disk: two slots, of which one holds. Keys are appended to it; to take one away, all others are
 * written into the other slot, and when that is on the disk, the first is overwritten. Described in
 * docs/implement/store-format.md.
 */
import { crc32 } from 'node:zlib';
import { MailError, type AccountId, type Disk } from '@mail-server-kit/core';
import { Packer, UnpackError, Unpacker } from '../pack.ts';

const MAGIC = Buffer.from('MSKKEYS\n', 'latin1');
const FORMAT = 1;
const SLOTS = ['keys.a', 'keys.b'] as const;
type Slot = (typeof SLOTS)[number];

/** An account and its key as the root key has sealed it; '' is the store itself. */
export interface SealedKey {
  readonly account: AccountId | '';
  readonly octets: Uint8Array;
}

export interface KeyFileContents {
  readonly store: Uint8Array;
  /** Of the slot; the highest one holds. */
  readonly generation: number;
  /** Of the master key. */
  readonly master: string;
  /** The root key, as the master key has wrapped it. */
  readonly root: Uint8Array;
  readonly keys: readonly SealedKey[];
}

interface Found extends KeyFileContents {
  readonly slot: Slot;
  /** Where the next key goes. */
  readonly end: number;
}

/** Whether a store has keys here, in whatever state. */
export const hasKeys = (disk: Disk): boolean =>
  disk.list().some((name) => SLOTS.includes(name as Slot));

/** The keys in one directory. */
export class KeyFile {
  readonly disk: Disk;
  #slot: Slot = 'keys.b';
  #end = 0;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /**
   * What holds; undefined: there is nothing. A crash may have left the other slot behind, or an end that was never used:
   * both are cleared, unless `readOnly`.
   * @throws MailError CORRUPTION if there are slots but none is whole, CANNOT if a later version wrote them
   */
  load({ readOnly = false } = {}): KeyFileContents | undefined {
    let best = this.#best();
    // Whoever only looks may have come to each slot just when the other one held.
    if (readOnly && typeof best !== 'object') best = this.#best();
    if (best === 'empty') return undefined;
    if (best === 'damaged') {
      throw new MailError('CORRUPTION', 'The file with the keys of the store is damaged');
    }
    this.#slot = best.slot;
    this.#end = best.end;
    if (!readOnly) this.#clear(best.end);
    return best;
  }

  #best(): Found | 'empty' | 'damaged' {
    const names = SLOTS.filter((name) => this.disk.list().includes(name));
    const slots = names.map((name) => this.#read(name));
    const found = slots.filter((slot) => typeof slot === 'object');
    found.sort((a, b) => b.generation - a.generation);
    return found[0] ?? (slots.every((slot) => slot === 'empty') ? 'empty' : 'damaged');
  }

  #clear(end: number): void {
    const file = this.disk.open(this.#slot, 'write');
    try {
      if (file.size() > end) {
        file.truncate(end);
        file.sync();
      }
    } finally {
      file.close();
    }
    this.#erase(otherThan(this.#slot));
  }

  /** On the disk when this returns. */
  append(key: SealedKey): void {
    const to = new Packer(256);
    packKey(to, key);
    const file = this.disk.open(this.#slot, 'write');
    try {
      file.write([to.bytes], this.#end);
      file.sync();
    } finally {
      file.close();
    }
    this.#end += to.length;
  }

  /** Everything anew, in the other slot. On the disk when this returns; if it throws, what was there still holds. */
  replace(contents: KeyFileContents): void {
    const slot = otherThan(this.#slot);
    const bytes = packContents(contents);
    const file = this.disk.open(slot, 'write');
    try {
      file.truncate(0);
      file.write([bytes], 0);
      file.sync();
      this.disk.syncDirectory();
    } catch (error) {
      // Perhaps it is there all the same, and would hold after the next start.
      file.truncate(0);
      throw error;
    } finally {
      file.close();
    }
    this.#slot = slot;
    this.#end = bytes.length;
  }

  /** Overwrites what held before, as far as the disk does what it is told. */
  eraseOther(): void {
    this.#erase(otherThan(this.#slot));
  }

  #erase(slot: Slot): void {
    if (!this.disk.list().includes(slot)) return;
    const file = this.disk.open(slot, 'write');
    try {
      const octets = file.size();
      if (octets === 0) return;
      file.write([Buffer.alloc(octets)], 0);
      file.sync();
      file.truncate(0);
      file.sync();
    } finally {
      file.close();
    }
  }

  #read(slot: Slot): Found | 'empty' | 'damaged' {
    const file = this.disk.open(slot, 'read');
    try {
      const bytes = Buffer.alloc(file.size());
      file.read(bytes, 0);
      if (bytes.every((octet) => octet === 0)) return 'empty';
      return unpackContents(slot, bytes) ?? 'damaged';
    } finally {
      file.close();
    }
  }
}

const otherThan = (slot: Slot): Slot => (slot === 'keys.a' ? 'keys.b' : 'keys.a');

function packContents({ store, generation, master, root, keys }: KeyFileContents): Buffer {
  const to = new Packer(1024 + 128 * keys.length);
  to.raw(MAGIC);
  to.u32(FORMAT);
  to.raw(store);
  to.u32(generation);
  to.u32(keys.length);
  to.text(master);
  to.octets(root);
  to.u32(crc32(to.bytes));
  for (const key of keys) packKey(to, key);
  return to.bytes;
}

function packKey(to: Packer, { account, octets }: SealedKey): void {
  const start = to.zeros(8);
  to.text(account);
  to.octets(octets);
  to.u32At(start + 4, to.length - start - 8);
  to.u32At(start, crc32(to.bytes.subarray(start + 4)));
}

/** Undefined: damaged. @throws MailError CANNOT */
function unpackContents(slot: Slot, bytes: Buffer): Found | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  try {
    const from = new Unpacker(bytes, MAGIC.length);
    if (from.u32() > FORMAT) {
      throw new MailError('CANNOT', 'The keys of the store were written by a later version');
    }
    const store = new Uint8Array(from.raw(16));
    const generation = from.u32();
    const count = from.u32();
    const master = from.text();
    const root = new Uint8Array(from.octets());
    if (crc32(bytes.subarray(0, from.at)) !== from.u32()) return undefined;
    const keys: SealedKey[] = [];
    let end = from.at;
    for (;;) {
      const key = unpackKey(bytes, end);
      if (!key) break;
      keys.push(key);
      end = key.end;
    }
    // Those that were written together with the header are there, or it was never finished.
    return keys.length < count ? undefined : { slot, store, generation, master, root, keys, end };
  } catch (error) {
    if (error instanceof UnpackError) return undefined;
    throw error;
  }
}

function unpackKey(bytes: Buffer, at: number): (SealedKey & { end: number }) | undefined {
  if (at + 8 > bytes.length) return undefined;
  const end = at + 8 + bytes.readUInt32LE(at + 4);
  if (end > bytes.length || crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32LE(at)) {
    return undefined;
  }
  const from = new Unpacker(bytes, at + 8, end);
  return { account: from.text() as AccountId | '', octets: new Uint8Array(from.octets()), end };
}
