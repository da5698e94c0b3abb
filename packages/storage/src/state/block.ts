/**
 * Rows of a mailbox in blocks of at most 512. A block is never changed once it is in a mailbox: what changes is copied, and
 * everything else is shared with the mailbox as it was before. What a block says about itself is always at hand; its columns
 * may lie elsewhere until somebody asks for them.
 */
import { flagBit, type Block, type Uid } from '@mail-server-kit/core';
import { appended, columnNames, type Columns } from './columns.ts';

/** Where the columns of a block can be had again. */
export interface Home {
  /** @throws MailError CORRUPTION */
  load(block: StoreBlock): Columns;
}

/** What is known of rows without looking at them. */
export interface About {
  readonly length: number;
  readonly firstUid: Uid;
  readonly lastUid: Uid;
  /** Without \Seen. */
  readonly unseen: number;
  /** With \Deleted. */
  readonly deleted: number;
}

export class StoreBlock implements Block, About {
  readonly length: number;
  readonly firstUid: Uid;
  readonly lastUid: Uid;
  readonly unseen: number;
  readonly deleted: number;
  #columns: Columns | undefined;
  #home: Home | undefined;
  #touched = false;

  /** It has `columns`, or a `home` where they are. */
  constructor(about: About, columns: Columns | undefined, home?: Home) {
    this.length = about.length;
    this.firstUid = about.firstUid;
    this.lastUid = about.lastUid;
    this.unseen = about.unseen;
    this.deleted = about.deleted;
    this.#columns = columns;
    this.#home = home;
    for (const [name, getter] of ownGetters) Object.defineProperty(this, name, getter);
  }

  /** @throws MailError CORRUPTION if they are lost */
  get columns(): Columns {
    this.#touched = true;
    return (this.#columns ??= (this.#home as Home).load(this));
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
    if (this.#home) this.#columns = undefined;
  }
}

/** The columns are properties of the block itself, so that structuredClone takes them along: messages are read by a clone too. */
const ownGetters = [...columnNames, 'held'].map((name): [string, PropertyDescriptor] => [
  name,
  { ...Object.getOwnPropertyDescriptor(StoreBlock.prototype, name), enumerable: true },
]);

/** A block of rows that nobody changes any more. */
export function blockOf(columns: Columns): StoreBlock {
  const { uid, flagsLow } = columns;
  const { length } = uid;
  const firstUid = uid[0] as Uid;
  const lastUid = uid[length - 1] as Uid;
  return new StoreBlock({ length, firstUid, lastUid, ...counted(flagsLow, length) }, columns);
}

/** The block and the first `count` of `rows`; what it had is not looked at again. */
export function grownBlock(block: StoreBlock, rows: Columns, count: number): StoreBlock {
  const more = counted(rows.flagsLow, count);
  const about: About = {
    length: block.length + count,
    firstUid: block.firstUid,
    lastUid: rows.uid[count - 1] as Uid,
    unseen: block.unseen + more.unseen,
    deleted: block.deleted + more.deleted,
  };
  return new StoreBlock(about, appended(block.columns, rows, 0, count));
}

function counted(flagsLow: Uint32Array, count: number): Pick<About, 'unseen' | 'deleted'> {
  let unseen = 0;
  let deleted = 0;
  for (let i = 0; i < count; i++) {
    const flags = flagsLow[i] as number;
    if (!(flags & flagBit.seen)) unseen++;
    if (flags & flagBit.deleted) deleted++;
  }
  return { unseen, deleted };
}
