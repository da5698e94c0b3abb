/**
 * The index of one account: a catalog, which is small and says what is where, and a text file. Both only grow, but for the
 * last blocks, which are written again with what comes until they are full; what is gone goes when both are rewritten.
 *
 *     ACCOUNT.cat          file-form.ts, entry.ts
 *     ACCOUNT.<id>.txt     header, then for each block its headers and its rests, each deflated and sealed
 *
 * Nothing is synced: whatever a crash leaves is known by its checksum, and what is missing is read from the messages.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { readAll, writeAll } from '../embedded/file-octets.js';
import { isMissing, makeDirectory } from './directory.ts';
import { Entry, movedEntry, packEntry, type Listed, type Stored } from './entry.ts';
import {
  CATALOG,
  FRAME,
  HEADER,
  TEXT,
  TRAILER,
  fileHeader,
  packFrame,
  readFrame,
  readHeader,
  type Owner,
} from './file-form.ts';
import type { Sealer } from './seal.ts';

/** Documents in a block, and octets of their texts beyond which no other one joins them. */
const BLOCK = 16;
const BLOCK_TEXT = 262_144;
/** Octets of a catalog that are read at once. */
const WINDOW = 1_048_576;
const LEVEL = 6;

/** What lies there is not what was written: it is removed and made anew. */
export class Damaged extends Error {}

export interface Totals {
  readonly messages: number;
  /** Of their texts, before they are compressed. */
  readonly textOctets: number;
  /** Of both files. */
  readonly octets: number;
}

interface Last extends Totals {
  readonly entry: Entry;
}

interface Opened {
  readonly catalog: number;
  readonly file: Buffer;
  /** Of the catalog. */
  end: number;
  text: number | undefined;
}

export class AccountFiles {
  #opened: Opened | undefined;
  /** All entries, if they are kept in memory. */
  #entries: Entry[] | undefined;
  /** Octets of memory. */
  kept = 0;
  readonly #catalogPath: string;

  constructor(
    readonly base: string,
    readonly owner: Owner,
    readonly sealer: Sealer,
    /** Octets of a catalog up to which it may be kept in memory. */
    readonly keepOctets: number,
  ) {
    this.#catalogPath = `${base}.cat`;
  }

  #textPath(file: Uint8Array): string {
    return `${this.base}.${Buffer.from(file).toString('hex')}.txt`;
  }

  /** Undefined: there is none, or none that we could read. */
  #open(): Opened | undefined {
    if (this.#opened) return this.#opened;
    let catalog: number;
    try {
      catalog = fs.openSync(this.#catalogPath, 'r+');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const file = readHeader(readAt(catalog, HEADER, 0), CATALOG, this.owner);
    if (!file) {
      fs.closeSync(catalog);
      this.remove();
      return undefined;
    }
    const end = fs.fstatSync(catalog).size;
    return (this.#opened = { catalog, file, end, text: undefined });
  }

  #create(): Opened {
    const opened = this.#open();
    if (opened) return opened;
    const file = randomBytes(8);
    const shelf = path.dirname(this.base);
    makeDirectory(path.dirname(shelf));
    makeDirectory(shelf);
    this.#newFile(this.#textPath(file), TEXT, file);
    this.#newFile(this.#catalogPath, CATALOG, file);
    return this.#open() as Opened;
  }

  #newFile(name: string, magic: string, file: Uint8Array): void {
    const fd = fs.openSync(name, 'w', 0o600);
    try {
      writeAll(fd, [fileHeader(magic, this.owner, file)], 0);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** @throws Damaged */
  #text(opened: Opened): number {
    if (opened.text !== undefined) return opened.text;
    let fd: number;
    try {
      fd = fs.openSync(this.#textPath(opened.file), 'r+');
    } catch (error) {
      throw isMissing(error) ? new Damaged('no text file') : error;
    }
    opened.text = fd;
    const file = readHeader(readAt(fd, HEADER, 0), TEXT, this.owner);
    if (!file?.equals(opened.file)) throw new Damaged('header of a text file');
    return fd;
  }

  /** Closes the files; what is kept in memory stays. */
  release(): void {
    const { catalog, text } = this.#opened ?? {};
    this.#opened = undefined;
    for (const fd of [catalog, text]) if (fd !== undefined) fs.closeSync(fd);
  }

  /** Frees the memory too. */
  forget(): void {
    this.#entries = undefined;
    this.kept = 0;
  }

  /** In the order in which they were written. @throws Damaged */
  *entries(): Generator<Entry, void> {
    if (this.#entries) {
      yield* this.#entries;
      return;
    }
    const opened = this.#open();
    if (!opened) return;
    const keep = opened.end <= this.keepOctets;
    const entries: Entry[] = [];
    for (const entry of this.#scan(opened)) {
      if (keep) entries.push(entry);
      yield entry;
    }
    if (keep) {
      this.#entries = entries;
      this.kept = opened.end;
    }
  }

  *#scan(opened: Opened): Generator<Entry, void> {
    let window: Buffer = Buffer.alloc(0);
    let from = 0;
    for (let at = HEADER; at < opened.end;) {
      let frame = readFrame(window.subarray(at - from));
      if (!frame) {
        // Its memory is never used again for others, for entries lie in it.
        window = readAt(opened.catalog, WINDOW, at);
        from = at;
        frame = readFrame(window);
      }
      if (!frame) {
        // Torn by a crash, or rotten: what follows is made anew.
        fs.ftruncateSync(opened.catalog, at);
        opened.end = at;
        return;
      }
      yield this.#entryOf(frame, opened, at);
      at += FRAME + frame.entry.length + TRAILER;
    }
  }

  #entryOf(
    { algorithm, entry }: { algorithm: number; entry: Uint8Array },
    { file }: Opened,
    at: number,
  ): Entry {
    return new Entry(asBuffer(this.#unseal(algorithm, entry, file)), at);
  }

  #unseal(algorithm: number, octets: Uint8Array, file: Uint8Array): Uint8Array {
    if (algorithm !== this.sealer.algorithm) throw new Damaged('sealed in another way');
    try {
      return this.sealer.open(octets, file);
    } catch (error) {
      throw new Damaged('sealed with another key', { cause: error });
    }
  }

  /** The last entry before `end`, found from there backwards. */
  #lastBefore(opened: Opened, end: number): Last | undefined {
    if (end <= HEADER) return undefined;
    const octets = readAt(opened.catalog, TRAILER, end - TRAILER).readUInt32LE(0);
    const at = end - octets - FRAME - TRAILER;
    const frame = at < HEADER ? undefined : readFrame(readAt(opened.catalog, end - at, at));
    if (!frame) {
      for (const entry of this.#scan(opened)) void entry;
      if (opened.end === end) throw new Damaged('catalog');
      this.forget();
      return this.#lastBefore(opened, opened.end);
    }
    const entry = this.#entryOf(frame, opened, at);
    const { documents: messages, textOctets } = frame;
    return { entry, messages, textOctets, octets: end + entry.textEnd };
  }

  totals(): Totals {
    const opened = this.#open();
    const last = opened && this.#lastBefore(opened, opened.end);
    if (!opened || !last) return { messages: 0, textOctets: 0, octets: opened ? 2 * HEADER : 0 };
    return last;
  }

  /** The headers or the rests of a block, one after the other. @throws Damaged */
  texts(entry: Entry, which: 'header' | 'rest'): Buffer {
    const { offset, headerOctets, headerCrc, restOctets, restCrc } = entry.stored;
    let expected = 0;
    for (let i = 0; i < entry.documents; i++) {
      expected += which === 'header' ? entry.headerOctets(i) : entry.restOctets(i);
    }
    const deflated =
      which === 'header'
        ? this.#stored(offset, headerOctets, headerCrc)
        : this.#stored(offset + headerOctets, restOctets, restCrc);
    try {
      const octets = inflateRawSync(deflated, { maxOutputLength: expected + 1 });
      if (octets.length === expected) return octets;
    } catch (error) {
      throw new Damaged('texts', { cause: error });
    }
    throw new Damaged('texts');
  }

  #stored(offset: number, octets: number, crc: number): Uint8Array {
    const opened = this.#open();
    if (!opened) throw new Damaged('files');
    const stored = readAt(this.#text(opened), octets, offset);
    if (stored.length < octets || crc32(stored) !== crc) throw new Damaged('texts');
    return this.#unseal(this.sealer.algorithm, stored, opened.file);
  }

  /**
   * Small blocks at the end are joined with what comes: each document is written as often as a block doubles.
   * @throws Damaged; the error of the disk, with what was not written left out
   */
  append(documents: readonly Listed[]): void {
    const opened = this.#create();
    let pending = documents;
    let last = this.#lastBefore(opened, opened.end);
    let { end } = opened;
    while (last && joins(last.entry, pending)) {
      const { entry } = last;
      const before = entry.unpack(this.texts(entry, 'header'), this.texts(entry, 'rest'));
      pending = [...before, ...pending];
      end = entry.at;
      last = this.#lastBefore(opened, end);
    }
    this.#cut(opened, end);
    this.#write(opened, pending, last);
  }

  #cut(opened: Opened, end: number): void {
    if (end === opened.end) return;
    fs.ftruncateSync(opened.catalog, end);
    opened.end = end;
    while ((this.#entries?.at(-1)?.at ?? -1) >= end) this.#entries?.pop();
  }

  #write(opened: Opened, documents: readonly Listed[], last: Last | undefined): void {
    let offset = last ? last.entry.textEnd : HEADER;
    let { messages = 0, textOctets = 0 } = last ?? {};
    try {
      for (const block of blocksOf(documents)) {
        const texts = this.#place(
          [block.map(({ header }) => header), block.map(({ rest }) => rest)].map((parts) =>
            deflateRawSync(Buffer.concat(parts), { level: LEVEL }),
          ),
          offset,
          opened.file,
        );
        writeAll(this.#text(opened), texts.parts, offset);
        messages += block.length;
        for (const { header, rest } of block) textOctets += header.length + rest.length;
        this.#add(opened, packEntry(block, texts.stored), { messages, textOctets });
        offset += texts.octets;
      }
    } catch (error) {
      this.#cutAfterError(opened);
      throw error;
    }
  }

  /** Seals deflated texts for `offset` of a file. */
  #place(deflated: readonly Uint8Array[], offset: number, file: Uint8Array) {
    const [header, rest] = deflated.map((octets) => this.sealer.seal(octets, file)) as [
      Uint8Array,
      Uint8Array,
    ];
    const stored: Stored = {
      offset,
      headerOctets: header.length,
      headerCrc: crc32(header),
      restOctets: rest.length,
      restCrc: crc32(rest),
    };
    return { parts: [header, rest], stored, octets: header.length + rest.length };
  }

  #add(opened: Opened, octets: Buffer, { messages, textOctets }: Omit<Totals, 'octets'>): void {
    const { algorithm } = this.sealer;
    const entry = this.sealer.seal(octets, opened.file);
    const frame = packFrame({ documents: messages, textOctets, algorithm, entry });
    writeAll(opened.catalog, [frame], opened.end);
    this.#entries?.push(new Entry(octets, opened.end));
    if (this.#entries) this.kept += frame.length;
    opened.end += frame.length;
  }

  #cutAfterError(opened: Opened): void {
    try {
      fs.ftruncateSync(opened.catalog, opened.end);
    } catch {
      // Its checksum tells what is torn.
    }
  }

  /**
   * Writes both files anew without the documents that `keeps` refuses, and without places that are there twice. Blocks that
   * stay as they are are not unpacked. `turn` is awaited now and then.
   */
  async rewrite(
    keeps: (place: number, mark: number) => boolean,
    turn: () => Promise<void>,
  ): Promise<void> {
    const old = this.#open();
    if (!old) return;
    const file = randomBytes(8);
    const fresh = `${this.base}.new`;
    const target = new AccountFiles(fresh, this.owner, this.sealer, 0);
    const seen = new Set<number>();
    try {
      target.#newFile(target.#textPath(file), TEXT, file);
      target.#newFile(`${fresh}.cat`, CATALOG, file);
      for (const entry of this.entries()) {
        await turn();
        target.#take(
          this,
          entry,
          (place, mark) => keeps(place, mark) && seen.size < seen.add(place).size,
        );
      }
      target.release();
      fs.renameSync(target.#textPath(file), this.#textPath(file));
      fs.renameSync(`${fresh}.cat`, this.#catalogPath);
    } catch (error) {
      target.remove();
      fs.rmSync(this.#textPath(file), { force: true });
      throw error;
    }
    this.release();
    this.forget();
    fs.rmSync(this.#textPath(old.file), { force: true });
  }

  #take(from: AccountFiles, entry: Entry, keeps: (place: number, mark: number) => boolean): void {
    const kept = new Set<number>();
    for (let i = 0; i < entry.documents; i++)
      if (keeps(entry.places[i] as number, entry.marks[i] as number)) kept.add(i);
    if (kept.size === 0) return;
    if (kept.size < entry.documents || entry.documents < BLOCK) {
      const documents = entry.unpack(from.texts(entry, 'header'), from.texts(entry, 'rest'));
      this.append(documents.filter((_, i) => kept.has(i)));
      return;
    }
    const opened = this.#open() as Opened;
    const last = this.#lastBefore(opened, opened.end);
    const offset = last ? last.entry.textEnd : HEADER;
    const { offset: old, headerOctets, headerCrc, restOctets, restCrc } = entry.stored;
    const texts = this.#place(
      [
        from.#stored(old, headerOctets, headerCrc),
        from.#stored(old + headerOctets, restOctets, restCrc),
      ],
      offset,
      opened.file,
    );
    writeAll(this.#text(opened), texts.parts, offset);
    this.#add(opened, movedEntry(entry.octets, texts.stored), {
      messages: (last?.messages ?? 0) + entry.documents,
      textOctets: (last?.textOctets ?? 0) + entry.textOctets,
    });
  }

  remove(): void {
    this.release();
    this.forget();
    const directory = path.dirname(this.base);
    const name = path.basename(this.base);
    let names: string[] = [];
    try {
      names = fs.readdirSync(directory);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    for (const each of names) {
      if (each.startsWith(`${name}.`)) fs.rmSync(path.join(directory, each), { force: true });
    }
  }
}

const joins = ({ documents, textOctets }: Entry, pending: readonly Listed[]): boolean =>
  documents < BLOCK && documents <= pending.length && textOctets < BLOCK_TEXT;

function* blocksOf(documents: readonly Listed[]): Generator<readonly Listed[]> {
  let block: Listed[] = [];
  let octets = 0;
  for (const document of documents) {
    if (block.length === BLOCK || (block.length > 0 && octets >= BLOCK_TEXT)) {
      yield block;
      block = [];
      octets = 0;
    }
    block.push(document);
    octets += document.header.length + document.rest.length;
  }
  if (block.length > 0) yield block;
}

const asBuffer = (octets: Uint8Array): Buffer =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.length);

function readAt(fd: number, octets: number, position: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(octets);
  return bytes.subarray(0, readAll(fd, bytes, position));
}
