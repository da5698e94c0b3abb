/** Rows of a mailbox as columns: what messages that arrive, blocks and their values in journal and index consist of. */
import { BLOCK_SIZE } from '@mail-server-kit/core';

/** Those of eight octets first, so that each is aligned in the buffer that they share. */
const kinds = {
  internalDate: Float64Array,
  saveDate: Float64Array,
  email: Float64Array,
  place: Float64Array,
  placeOctets: Uint32Array,
  uid: Uint32Array,
  size: Uint32Array,
  internalZone: Int16Array,
  modSeq: Float64Array,
  flagsLow: Uint32Array,
  flagsHigh: Uint32Array,
} as const;

type ColumnName = keyof typeof kinds;
export const columnNames = Object.keys(kinds) as readonly ColumnName[];

/** Octets of one row of a column. */
const columnOctets = (name: ColumnName): number => kinds[name].BYTES_PER_ELEMENT;

/** Octets of one row. */
export const ROW_OCTETS = columnNames.reduce((sum, name) => sum + columnOctets(name), 0);

/** Rows that nobody changes any more. */
export interface Columns {
  readonly uid: Uint32Array;
  readonly flagsLow: Uint32Array;
  readonly flagsHigh: Uint32Array;
  readonly size: Uint32Array;
  readonly modSeq: Float64Array;
  readonly internalDate: Float64Array;
  readonly internalZone: Int16Array;
  readonly saveDate: Float64Array;
  /** Number of the email id `M<number>`; negative: hash of an id that was given (ids.ts). */
  readonly email: Float64Array;
  /** Where the message record lies in the journal: segment * 2^32 + offset. 0 in a store without a journal. */
  readonly place: Float64Array;
  readonly placeOctets: Uint32Array;
  /** The message itself, in a store without a journal. */
  readonly held?: readonly unknown[] | undefined;
}

/** Rows that are being filled, before anybody sees them. */
export type Rows = { -readonly [Name in ColumnName]: Columns[Name] } & { held?: unknown[] };

/** Octets of one row that a change of flags leaves as they are, and of those that it replaces. */
const FIXED = 46;
const CHANGING = 16;
/** Octets of a row in front of its uid. */
const BEFORE_UID = 36;

/** Two buffers: flags and modseqs change, and must not keep the rest of an old block alive twice. */
export function emptyRows(count: number, held: boolean): Rows {
  const rows = {
    ...fixedColumns(new ArrayBuffer(count * FIXED), count, count),
    ...changingColumns(new ArrayBuffer(count * CHANGING), count, count),
  };
  return held ? { ...rows, held: new Array<unknown>(count) } : rows;
}

/** Rows of messages that arrive one by one are cut from a piece for many: two buffers each would cost more than all else. */
const PIECE = 256;
let piece: Rows | undefined;
let cutFrom = 0;

/** One empty row, on its way to a block. */
export function emptyRow(held: boolean): Rows {
  if (!piece || cutFrom === PIECE) {
    piece = emptyRows(PIECE, false);
    cutFrom = 0;
  }
  const from = cutFrom++;
  const end = cutFrom;
  const row: Rows = {
    uid: piece.uid.subarray(from, end),
    flagsLow: piece.flagsLow.subarray(from, end),
    flagsHigh: piece.flagsHigh.subarray(from, end),
    size: piece.size.subarray(from, end),
    modSeq: piece.modSeq.subarray(from, end),
    internalDate: piece.internalDate.subarray(from, end),
    internalZone: piece.internalZone.subarray(from, end),
    saveDate: piece.saveDate.subarray(from, end),
    email: piece.email.subarray(from, end),
    place: piece.place.subarray(from, end),
    placeOctets: piece.placeOctets.subarray(from, end),
  };
  if (held) row.held = [undefined];
  return row;
}

const fixedColumns = (buffer: ArrayBufferLike, capacity: number, count: number) => ({
  internalDate: new Float64Array(buffer, 0, count),
  saveDate: new Float64Array(buffer, capacity * 8, count),
  email: new Float64Array(buffer, capacity * 16, count),
  place: new Float64Array(buffer, capacity * 24, count),
  placeOctets: new Uint32Array(buffer, capacity * 32, count),
  uid: new Uint32Array(buffer, capacity * BEFORE_UID, count),
  size: new Uint32Array(buffer, capacity * 40, count),
  internalZone: new Int16Array(buffer, capacity * 44, count),
});

const changingColumns = (buffer: ArrayBufferLike, capacity: number, count: number) => ({
  modSeq: new Float64Array(buffer, 0, count),
  flagsLow: new Uint32Array(buffer, capacity * 8, count),
  flagsHigh: new Uint32Array(buffer, capacity * 12, count),
});

/** What most blocks have for time zones and for flags above 32. Never written to: only rows of `emptyRows` are filled. */
const noZones = new Int16Array(BLOCK_SIZE);
const noFlags = new Uint32Array(BLOCK_SIZE);

/** Columns one after the other in `bytes`, in the order of `columnNames`, as rows of their own. */
export function rowsFrom(count: number, bytes: Uint8Array): Rows {
  const last = bytes.subarray(count * (FIXED + CHANGING - 4));
  const zones = bytes.subarray(count * (FIXED - 2), count * FIXED);
  const alone = count > BLOCK_SIZE;
  const highless = !alone && isZero(last);
  const zoneless = !alone && isZero(zones);
  const fixed = new Uint8Array(count * (zoneless ? FIXED - 2 : FIXED));
  const changing = new Uint8Array(count * (highless ? CHANGING - 4 : CHANGING));
  fixed.set(bytes.subarray(0, fixed.length));
  changing.set(bytes.subarray(count * FIXED, count * FIXED + changing.length));
  return {
    internalDate: new Float64Array(fixed.buffer, 0, count),
    saveDate: new Float64Array(fixed.buffer, count * 8, count),
    email: new Float64Array(fixed.buffer, count * 16, count),
    place: new Float64Array(fixed.buffer, count * 24, count),
    placeOctets: new Uint32Array(fixed.buffer, count * 32, count),
    uid: new Uint32Array(fixed.buffer, count * BEFORE_UID, count),
    size: new Uint32Array(fixed.buffer, count * 40, count),
    internalZone: zoneless
      ? noZones.subarray(0, count)
      : new Int16Array(fixed.buffer, count * 44, count),
    modSeq: new Float64Array(changing.buffer, 0, count),
    flagsLow: new Uint32Array(changing.buffer, count * 8, count),
    flagsHigh: highless
      ? noFlags.subarray(0, count)
      : new Uint32Array(changing.buffer, count * 12, count),
  };
}

const zeros = new Uint8Array(BLOCK_SIZE * 4);
const isZero = (bytes: Uint8Array) => Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0;

/** The rows with own flags and modseqs; everything else is shared with the old ones. */
export function withOwnFlags(old: Columns): Rows {
  const { uid, modSeq } = old;
  const capacity = uid.byteOffset / BEFORE_UID;
  const buffer = new ArrayBuffer(capacity * CHANGING);
  // Columns that stand for zeros are not in it, and come last.
  new Uint8Array(buffer).set(new Uint8Array(modSeq.buffer));
  return { ...viewsOf(old), ...changingColumns(buffer, capacity, uid.length) };
}

/**
 * The first rows of those that there is room for. Whoever has fewer of them does not see the rest, so a block that grows by
 * one message needs neither a copy nor, until somebody looks, a single view.
 */
class Growing implements Columns {
  readonly #views: { -readonly [Name in ColumnName]?: Columns[Name] } = {};
  #held: readonly unknown[] | undefined;

  constructor(
    readonly room: Rows,
    readonly count: number,
  ) {}

  get uid(): Uint32Array {
    return (this.#views.uid ??= this.room.uid.subarray(0, this.count));
  }

  get flagsLow(): Uint32Array {
    return (this.#views.flagsLow ??= this.room.flagsLow.subarray(0, this.count));
  }

  get flagsHigh(): Uint32Array {
    return (this.#views.flagsHigh ??= this.room.flagsHigh.subarray(0, this.count));
  }

  get size(): Uint32Array {
    return (this.#views.size ??= this.room.size.subarray(0, this.count));
  }

  get modSeq(): Float64Array {
    return (this.#views.modSeq ??= this.room.modSeq.subarray(0, this.count));
  }

  get internalDate(): Float64Array {
    return (this.#views.internalDate ??= this.room.internalDate.subarray(0, this.count));
  }

  get internalZone(): Int16Array {
    return (this.#views.internalZone ??= this.room.internalZone.subarray(0, this.count));
  }

  get saveDate(): Float64Array {
    return (this.#views.saveDate ??= this.room.saveDate.subarray(0, this.count));
  }

  get email(): Float64Array {
    return (this.#views.email ??= this.room.email.subarray(0, this.count));
  }

  get place(): Float64Array {
    return (this.#views.place ??= this.room.place.subarray(0, this.count));
  }

  get placeOctets(): Uint32Array {
    return (this.#views.placeOctets ??= this.room.placeOctets.subarray(0, this.count));
  }

  get held(): readonly unknown[] | undefined {
    return (this.#held ??= this.room.held?.slice(0, this.count));
  }
}

const viewsOf = (columns: Columns): Rows => ({
  uid: columns.uid,
  flagsLow: columns.flagsLow,
  flagsHigh: columns.flagsHigh,
  size: columns.size,
  modSeq: columns.modSeq,
  internalDate: columns.internalDate,
  internalZone: columns.internalZone,
  saveDate: columns.saveDate,
  email: columns.email,
  place: columns.place,
  placeOctets: columns.placeOctets,
  ...(columns.held && { held: columns.held.slice() }),
});

/** The rows and those from `from` to `end` (excluded) of `more`. Only the newest state of a mailbox is ever appended to. */
export function appended(old: Columns, more: Columns, from: number, end: number): Columns {
  const before = old instanceof Growing ? old.count : old.uid.length;
  const count = before + end - from;
  let room = roomOf(old);
  if (!room || room.uid.length < count) {
    room = emptyRows(Math.min(BLOCK_SIZE, Math.max(16, 2 * count)), old.held !== undefined);
    copyRows(room, 0, old, 0, before);
  }
  copyRows(room, before, more, from, end);
  return new Growing(room, count);
}

/** All that the buffers of some rows have room for. */
function roomOf(columns: Columns): Rows | undefined {
  if (columns instanceof Growing) return columns.room;
  const { uid, modSeq, held } = columns;
  const capacity = uid.byteOffset / BEFORE_UID;
  // Columns that stand for zeros have no room.
  if (uid.buffer.byteLength !== capacity * FIXED) return undefined;
  if (modSeq.buffer.byteLength !== capacity * CHANGING) return undefined;
  return {
    ...fixedColumns(uid.buffer, capacity, capacity),
    ...changingColumns(modSeq.buffer, capacity, capacity),
    ...(held && { held: held.slice() }),
  };
}

/** Tells a row where its message lies. */
export function locateRow(columns: Columns, row: number, place: number, octets: number): void {
  const rows = columns instanceof Growing ? columns.room : columns;
  rows.place[row] = place;
  rows.placeOctets[row] = octets;
}

/** Copies rows `from` to `end` (excluded) of `source` to `target`, beginning at `at`. */
export function copyRows(
  target: Rows,
  at: number,
  source: Columns,
  from: number,
  end: number,
): void {
  if (end - from === 1) copyRow(target, at, source, from);
  else {
    for (const name of columnNames) {
      // All columns have `set` and `subarray` of their own kind, which a union of kinds cannot say.
      (target[name] as Float64Array).set((source[name] as Float64Array).subarray(from, end), at);
    }
  }
  if (target.held && source.held) {
    for (let i = from; i < end; i++) target.held[at + i - from] = source.held[i];
  }
}

/** Messages arrive one by one, and two views for each column would cost more than the rest of it. */
function copyRow(target: Rows, to: number, source: Columns, from: number): void {
  target.uid[to] = source.uid[from] as number;
  target.flagsLow[to] = source.flagsLow[from] as number;
  target.flagsHigh[to] = source.flagsHigh[from] as number;
  target.size[to] = source.size[from] as number;
  target.modSeq[to] = source.modSeq[from] as number;
  target.internalDate[to] = source.internalDate[from] as number;
  target.internalZone[to] = source.internalZone[from] as number;
  target.saveDate[to] = source.saveDate[from] as number;
  target.email[to] = source.email[from] as number;
  target.place[to] = source.place[from] as number;
  target.placeOctets[to] = source.placeOctets[from] as number;
}
