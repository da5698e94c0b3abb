/**
 * Rows of a mailbox in blocks of at most 512. A block is never changed once it is in a mailbox: what changes is copied, and
 * everything else is shared with the mailbox as it was before. What a block says about itself is always at hand; its columns
 * may lie elsewhere until somebody asks for them.
 */
import { flagBit, type Block, type ModSeq, type Uid } from '@mail-server-kit/core';
import { appended, columnNames, type Columns } from './columns.ts';
import {
  bothChanges,
  changedSummary,
  countAfter,
  countBoth,
  countFlags,
  withChange,
  type Counts,
  type FlagChange,
} from './flag-change.ts';

/** Where the columns of a block can be had again. */
export interface Home {
  /** @throws MailError CORRUPTION */
  load(block: StoreBlock): Columns;
}

/** What is known of rows without looking at them. */
export interface About extends Counts {
  readonly length: number;
  readonly firstUid: Uid;
  readonly lastUid: Uid;
}

/** A change of all rows of another block, made when somebody looks at a column. */
interface Pending {
  readonly of: StoreBlock;
  readonly change: FlagChange;
  readonly modSeq: ModSeq;
}

export class StoreBlock implements Block, About {
  readonly length: number;
  readonly firstUid: Uid;
  readonly lastUid: Uid;
  readonly unseen: number;
  readonly deleted: number;
  readonly someLow: number;
  readonly someHigh: number;
  readonly everyLow: number;
  readonly everyHigh: number;
  #columns: Columns | undefined;
  #home: Home | undefined;
  #pending: Pending | undefined;
  #touched = false;
  #pins = 0;
  #dropped = false;

  /** It has `columns`, or a `home` where they are, or they are those of another block with a change. */
  constructor(about: About, columns: Columns | undefined, home?: Home, pending?: Pending) {
    this.length = about.length;
    this.firstUid = about.firstUid;
    this.lastUid = about.lastUid;
    this.unseen = about.unseen;
    this.deleted = about.deleted;
    this.someLow = about.someLow;
    this.someHigh = about.someHigh;
    this.everyLow = about.everyLow;
    this.everyHigh = about.everyHigh;
    this.#columns = columns;
    this.#home = home;
    this.#pending = pending;
    for (const [name, getter] of ownGetters) Object.defineProperty(this, name, getter);
  }

  /** @throws MailError CORRUPTION if they are lost */
  get columns(): Columns {
    this.#touched = true;
    return (this.#columns ??= this.#load());
  }

  #load(): Columns {
    if (!this.#pending) return (this.#home as Home).load(this);
    const { of, change, modSeq } = this.#pending;
    const columns = withChange(of.columns, change, modSeq);
    this.#pending = undefined;
    return columns;
  }

  /** The rows with a change of all of them. No column is looked at. */
  changed(change: FlagChange, modSeq: ModSeq): StoreBlock {
    const { length, firstUid, lastUid, unseen, deleted } = this;
    const seen = countAfter(length, length - unseen, flagBit.seen, change);
    const about: About = {
      ...{ length, firstUid, lastUid, unseen: length - seen },
      deleted: countAfter(length, deleted, flagBit.deleted, change),
      ...changedSummary(this, change),
    };
    // One change after the other would be a chain of blocks that nobody has looked at.
    const before = this.#pending;
    const pending = before
      ? { of: before.of, change: bothChanges(before.change, change), modSeq }
      : { of: this, change, modSeq };
    return new StoreBlock(about, undefined, undefined, pending);
  }

  get uid(): Uint32Array {
    return this.columns.uid;
  }

  get flagsLow(): Uint32Array {
    return this.columns.flagsLow;
  }

  get flagsHigh(): Uint32Array {
    return this.columns.flagsHigh;
  }

  get size(): Uint32Array {
    return this.columns.size;
  }

  get modSeq(): Float64Array {
    return this.columns.modSeq;
  }

  get internalDate(): Float64Array {
    return this.columns.internalDate;
  }

  get internalZone(): Int16Array {
    return this.columns.internalZone;
  }

  get saveDate(): Float64Array {
    return this.columns.saveDate;
  }

  get email(): Float64Array {
    return this.columns.email;
  }

  get place(): Float64Array {
    return this.columns.place;
  }

  get placeOctets(): Uint32Array {
    return this.columns.placeOctets;
  }

  get held(): readonly unknown[] | undefined {
    return this.columns.held;
  }

  /** Undefined: the columns are nowhere but here. */
  get home(): Home | undefined {
    return this.#home;
  }

  /** The columns can be had from `home` from now on. */
  settle(home: Home): void {
    this.#home = home;
  }

  /** Gives a block its columns back whose home has lost them. */
  restore(columns: Columns): void {
    this.#columns = columns;
    this.#home = undefined;
  }

  /** The columns are in memory. */
  get resident(): boolean {
    return this.#columns !== undefined;
  }

  /** The block to be read before a column can be looked at. Undefined: all that is needed is in memory. */
  get cold(): StoreBlock | undefined {
    if (this.#columns) return undefined;
    return this.#pending ? this.#pending.of.cold : this;
  }

  /** Reads the columns and keeps them in memory until `unpin`. @throws MailError CORRUPTION */
  pin(): void {
    this.#columns ??= this.#load();
    this.#pins++;
  }

  unpin(): void {
    if (--this.#pins === 0 && this.#dropped) this.drop();
  }

  /** Octets of the columns that are in memory. */
  get octets(): number {
    const columns = this.#columns;
    return columns ? columns.uid.buffer.byteLength + columns.modSeq.buffer.byteLength : 0;
  }

  /** Whether somebody has looked at a column since this was asked last. */
  takeTouched(): boolean {
    const touched = this.#touched;
    this.#touched = false;
    return touched;
  }

  /** Frees the columns if they can be had again. */
  drop(): void {
    this.#dropped = this.#pins > 0;
    if (this.#home && !this.#dropped) this.#columns = undefined;
  }
}

/** The columns are properties of the block itself, so that structuredClone takes them along: messages are read by a clone too. */
const ownGetters = [...columnNames, 'held'].map((name): [string, PropertyDescriptor] => [
  name,
  { ...Object.getOwnPropertyDescriptor(StoreBlock.prototype, name), enumerable: true },
]);

/** A block of rows that nobody changes any more. */
export function blockOf(columns: Columns): StoreBlock {
  const { uid } = columns;
  const { length } = uid;
  const firstUid = uid[0] as Uid;
  const lastUid = uid[length - 1] as Uid;
  return new StoreBlock({ length, firstUid, lastUid, ...countFlags(columns, length) }, columns);
}

/** The block and the first `count` of `rows`; what it had is not looked at again. */
export function grownBlock(block: StoreBlock, rows: Columns, count: number): StoreBlock {
  const about: About = {
    length: block.length + count,
    firstUid: block.firstUid,
    lastUid: rows.uid[count - 1] as Uid,
    ...countBoth(block, countFlags(rows, count)),
  };
  return new StoreBlock(about, appended(block.columns, rows, 0, count));
}
