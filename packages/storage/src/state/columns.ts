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
  readonly held?: readonly unknown[];
}

/** Rows that are being filled, before anybody sees them. */
export type Rows = { -readonly [Name in ColumnName]: Columns[Name] } & { held?: unknown[] };

/** Octets of one row that a change of flags leaves as they are, and of those that it replaces. */
const FIXED = 46;
const CHANGING = 16;
/** Octets of a row in front of its uid. */
const BEFORE_UID = 36;

/**
 * Two buffers: flags and modseqs change, and must not keep the rest of an old block alive twice. `capacity`: rows that there
 * is room for, so that a block that grows is not copied for each row.
 */
export function emptyRows(count: number, held: boolean, capacity = count): Rows {
  const fixed = new ArrayBuffer(capacity * FIXED);
  const changing = new ArrayBuffer(capacity * CHANGING);
  const rows = {
    ...fixedColumns(fixed, capacity, count),
    ...changingColumns(changing, capacity, count),
  };
  return held ? { ...rows, held: new Array<unknown>(count) } : rows;
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

const capacityOf = ({ uid }: Columns) => uid.byteOffset / BEFORE_UID;

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
  const capacity = capacityOf(old);
  const buffer = new ArrayBuffer(capacity * CHANGING);
  // Columns that stand for zeros are not in it, and come last.
  new Uint8Array(buffer).set(new Uint8Array(old.modSeq.buffer));
  return { ...(old as Rows), ...changingColumns(buffer, capacity, old.uid.length) };
}

/**
 * The rows with room for `more` behind. They may lie in the same buffers: whoever has the shorter ones does not see
 * them, and only the newest state of a mailbox is ever appended to.
 */
export function extended(old: Columns, more: number): Rows {
  const before = old.uid.length;
  const count = before + more;
  const capacity = capacityOf(old);
  if (count > capacity) {
    const larger = Math.min(BLOCK_SIZE, Math.max(16, 2 * count));
    const rows = emptyRows(count, old.held !== undefined, larger);
    copyRows(rows, 0, old, 0, before);
    return rows;
  }
  const rows: Rows = {
    ...fixedColumns(old.uid.buffer, capacity, count),
    ...changingColumns(old.modSeq.buffer, capacity, count),
  };
  if (old.held) rows.held = old.held.slice();
  return rows;
}

/** Copies rows `from` to `end` (excluded) of `source` to `target`, beginning at `at`. */
export function copyRows(
  target: Rows,
  at: number,
  source: Columns,
  from: number,
  end: number,
): void {
  for (const name of columnNames) {
    // All columns have `set` and `subarray` of their own kind, which a union of kinds cannot say.
    (target[name] as Float64Array).set((source[name] as Float64Array).subarray(from, end), at);
  }
  if (target.held && source.held) {
    for (let i = from; i < end; i++) target.held[at + i - from] = source.held[i];
  }
}
