/**
 * Numbers, texts and octets to bytes and back. Little-endian; `varint` has 7 bits an octet, the lowest first, and reaches
 * to 2^53; texts are UTF-8 behind their length. docs/implement/store-format.md has the same in words.
 */
import type { Uid, UidRange, UidRanges } from '@mail-server-kit/core';

/** Room that a packer keeps for what it is used for next. */
const KEPT = 65_536;

export class Packer {
  #buffer: Buffer;
  #view: DataView;
  #at = 0;
  /** Octets that lie somewhere else, but come before what is packed next. */
  elsewhere = 0;

  constructor(octets = 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(octets);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Of what was packed. */
  get length(): number {
    return this.#at;
  }

  /** Begins anew; the room stays. */
  reset(): void {
    this.#at = 0;
    this.elsewhere = 0;
  }

  /** What was packed so far, as the caller's own. */
  take(): Buffer {
    const { bytes } = this;
    this.#at = 0;
    if (bytes.length <= KEPT) return Buffer.from(bytes);
    this.#buffer = Buffer.allocUnsafeSlow(KEPT);
    this.#view = new DataView(this.#buffer.buffer);
    return bytes;
  }

  /** What was packed so far. Stays valid only until more is packed. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #room(octets: number): number {
    const at = this.#at;
    if (at + octets > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, at + octets));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = at + octets;
    return at;
  }

  zeros(count: number): number {
    const at = this.#room(count);
    this.#buffer.fill(0, at, at + count);
    return at;
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#buffer[at] = value;
  }

  i16(value: number): void {
    const at = this.#room(2);
    this.#view.setInt16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  u32At(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, true);
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.u8((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.u8(rest);
  }

  /** Without a length. Returns where they begin. */
  raw(octets: Uint8Array): number {
    const at = this.#room(octets.length);
    this.#buffer.set(octets, at);
    return at;
  }

  octets(octets: Uint8Array): void {
    this.varint(octets.length);
    this.raw(octets);
  }

  text(text: string): void {
    const octets = Buffer.byteLength(text);
    this.varint(octets);
    const at = this.#room(octets);
    this.#buffer.write(text, at, octets, 'utf8');
  }

  uids(ranges: UidRanges): void {
    this.varint(ranges.length);
    let last = 0;
    for (const [first, end] of ranges) {
      this.varint(first - last);
      this.varint(end - first);
      last = end;
    }
  }

  list<T>(items: readonly T[], pack: (item: T) => void): void {
    this.varint(items.length);
    for (const item of items) pack(item);
  }

  maybe<T>(value: T | undefined, pack: (value: T) => void): void {
    this.u8(value === undefined ? 0 : 1);
    if (value !== undefined) pack(value);
  }
}

/** Bytes end too early or say something impossible, though their checksum is right: another version wrote them. */
export class UnpackError extends Error {
  override readonly name = 'UnpackError';
}

export class Unpacker {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, from = 0, end = bytes.length) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = from;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  #take(octets: number): number {
    const at = this.#at;
    if (at + octets > this.#end) throw new UnpackError('record ends too early');
    this.#at = at + octets;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const octet = this.u8();
      value += (octet & 127) * scale;
      if (octet < 128) return value;
      scale *= 128;
    }
    throw new UnpackError('number too long');
  }

  raw(octets: number): Uint8Array {
    const at = this.#take(octets);
    return this.#bytes.subarray(at, at + octets);
  }

  octets(): Uint8Array {
    return this.raw(this.varint());
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.raw(this.#end - this.#at);
  }

  skip(): void {
    this.#take(this.varint());
  }

  text(): string {
    const octets = this.varint();
    const at = this.#take(octets);
    return this.#bytes.toString('utf8', at, at + octets);
  }

  uids(): UidRanges {
    let last = 0;
    return this.list((): UidRange => {
      const first = last + this.varint();
      last = first + this.varint();
      return [first as Uid, last as Uid];
    });
  }

  list<T>(unpack: () => T): T[] {
    const count = this.varint();
    // Each item has at least one octet: a wrong count cannot make us fill the memory.
    if (count > this.#end - this.#at) throw new UnpackError('list too long');
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(unpack());
    return items;
  }

  maybe<T>(unpack: () => T): T | undefined {
    return this.u8() === 0 ? undefined : unpack();
  }
}
