/**
 * Blocks of mailboxes as values of the index: read when somebody looks at a column, dropped when memory is short. A block
 * that a later one has taken the place of keeps its value as long as somebody may still ask for it.
 */
import { crc32 } from 'node:zlib';
import {
  MailError,
  isMailError,
  type AccountId,
  type Log,
  type MailboxId,
} from '@mail-server-kit/core';
import { StoreBlock, type About, type Home } from '../state/block.ts';
import { spans } from '../state/blocks.ts';
import { ROW_OCTETS, copyRows, emptyRows, rowsFrom, type Columns } from '../state/columns.ts';
import type { MailboxState } from '../state/mailbox.ts';
import type { CacheBudget } from './cache.ts';
import { OddIndex, seal, unseal, type BlockEntry, type Sealed } from './pack-index.ts';
import { packRows } from './pack-state.ts';
import { Packer } from './pack.ts';
import type { Vault } from './vault/vault.ts';

/** Names of equal length, so that what an unfinished checkpoint left behind is one range of keys. */
export const blockKey = (number: number): string => `b/${number.toString(36).padStart(9, '0')}`;

export interface BlocksOptions {
  readonly cache: CacheBudget;
  readonly log: Log;
  /** A value, from one side after the other until one is taken. @throws MailError UNAVAILABLE if the index is closed */
  readonly get: (key: string) => Iterable<Uint8Array | undefined>;
  /** A mailbox as it was after the record with this LSN, from the journal; undefined: that cannot be done now. */
  readonly rebuild: (
    id: MailboxId,
    lsn: number,
    vault: Vault | undefined,
  ) => MailboxState | undefined;
  /** A block of this mailbox has to be written again. */
  readonly again: (id: MailboxId) => void;
  /** The index has lost what cannot be had from elsewhere now: the next start makes it anew. */
  readonly lost: () => void;
}

/** Where the columns of one block are. */
export class BlockHome implements Home, BlockEntry {
  readonly number: number;
  readonly sum: number;
  readonly lsn: number;

  constructor(
    readonly blocks: IndexBlocks,
    readonly mailbox: MailboxId,
    { number, sum, lsn }: BlockEntry,
  ) {
    this.number = number;
    this.sum = sum;
    this.lsn = lsn;
  }

  load(block: StoreBlock): Columns {
    return this.blocks.load(block, this);
  }
}

export class IndexBlocks {
  readonly #options: BlocksOptions;
  /** Who may ask for a value, by its number. */
  readonly #holders = new Map<number, WeakRef<StoreBlock>>();
  /** Numbers of values that no mailbox lists any more. */
  readonly #stale = new Set<number>();
  #last = 0;
  vault: Vault | undefined;
  /** LSN of the newest checkpoint. */
  applied = 0;
  /** What was last made of the journal, for the other blocks of the same mailbox. */
  #rebuilt: { readonly id: MailboxId; readonly state: MailboxState } | undefined;

  constructor(options: BlocksOptions) {
    this.#options = options;
  }

  /** Number of the block that was written last. */
  get last(): number {
    return this.#last;
  }

  get stale(): readonly number[] {
    return [...this.#stale];
  }

  /** After a start. Nobody holds what is stale. */
  begin(last: number, stale: readonly number[], applied: number): void {
    this.#last = last;
    this.applied = applied;
    for (const number of stale) this.#stale.add(number);
  }

  /** A block whose columns nobody has asked for yet. */
  handle(mailbox: MailboxId, [about, entry]: readonly [About, BlockEntry]): StoreBlock {
    const block = new StoreBlock(about, undefined, new BlockHome(this, mailbox, entry));
    this.#holders.set(entry.number, new WeakRef(block));
    return block;
  }

  /** A value for a block that has none. */
  pack(
    { id, account }: { readonly id: MailboxId; readonly account: AccountId },
    block: StoreBlock,
    lsn: number,
  ): { readonly key: string; readonly value: Sealed; readonly home: BlockHome } {
    const number = ++this.#last;
    const key = blockKey(number);
    let sum = 0;
    const pack = (to: Packer) => {
      const start = to.length;
      packRows(to, block.columns);
      sum = crc32(to.bytes.subarray(start));
    };
    const value = seal({ key, account, lsn }, pack, {
      vault: this.vault,
      octets: 256 + block.length * ROW_OCTETS,
    });
    return { key, value, home: new BlockHome(this, id, { number, sum, lsn }) };
  }

  /** The value is on disk. */
  settle(block: StoreBlock, home: BlockHome): void {
    block.settle(home);
    this.#holders.set(home.number, new WeakRef(block));
    this.#options.cache.add(block, block.octets);
  }

  /** No mailbox lists this block any more. */
  retire(number: number): void {
    const block = this.#holders.get(number)?.deref();
    if (block?.resident) {
      // In memory for as long as somebody holds it, and no longer because it was used lately.
      this.#options.cache.remove(block);
      block.restore(block.columns);
    }
    this.#stale.add(number);
  }

  /** Numbers of values that may go: nobody can ask for them any more. */
  takeUnused(): number[] {
    const unused: number[] = [];
    for (const number of this.#stale) {
      const block = this.#holders.get(number)?.deref();
      if (block && (block.home as BlockHome | undefined)?.number === number) continue;
      unused.push(number);
      this.#stale.delete(number);
      this.#holders.delete(number);
    }
    this.#rebuilt = undefined;
    return unused;
  }

  /** @throws MailError CORRUPTION, UNAVAILABLE; EXPUNGED if the account is destroyed and its key is too */
  load(block: StoreBlock, home: BlockHome): Columns {
    const columns = this.#read(block, home);
    if (!columns) return this.#repair(block, home);
    this.#options.cache.add(
      block,
      columns.uid.buffer.byteLength + columns.modSeq.buffer.byteLength,
    );
    return columns;
  }

  /** Undefined: on no side is it what was written. */
  #read(block: StoreBlock, home: BlockHome): Columns | undefined {
    for (const bytes of this.#options.get(blockKey(home.number))) {
      const columns = this.#columnsOf(bytes, block, home);
      if (columns) return columns;
    }
    return undefined;
  }

  #columnsOf(
    bytes: Uint8Array | undefined,
    block: StoreBlock,
    { number, sum, lsn }: BlockHome,
  ): Columns | undefined {
    const key = blockKey(number);
    try {
      if (!bytes) throw new OddIndex(`${key} is missing`);
      const value = unseal(key, bytes, this.vault);
      const count = value.from.varint();
      const rows = value.from.raw(count * ROW_OCTETS);
      const packed = new Packer(16);
      packed.varint(count);
      if (value.lsn !== lsn || count !== block.length || crc32(rows, crc32(packed.bytes)) !== sum) {
        throw new OddIndex(`${key} is another block`);
      }
      const columns = rowsFrom(count, rows);
      if (columns.uid[0] !== block.firstUid || columns.uid[count - 1] !== block.lastUid) {
        throw new OddIndex(`${key} has other uids`);
      }
      return columns;
    } catch (error) {
      if (isMailError(error) && error.code !== 'CORRUPTION') throw error;
      this.#options.log({ level: 'error', service: 'storage', event: 'index is damaged', error });
      return undefined;
    }
  }

  /** The same rows from the journal; they are written again with the next checkpoint. */
  #repair(block: StoreBlock, home: BlockHome): Columns {
    const { log, again, lost, rebuild } = this.#options;
    const { mailbox: id } = home;
    try {
      // Mostly it is a block of the newest checkpoint, and others of the mailbox will be asked for as well.
      let state =
        this.#rebuilt?.id === id ? this.#rebuilt.state : rebuild(id, this.applied, this.vault);
      if (state) this.#rebuilt = { id, state };
      let columns = state && sameRows(state, block, home);
      if (!columns && home.lsn < this.applied) {
        state = rebuild(id, home.lsn, this.vault);
        columns = state && sameRows(state, block, home);
      }
      if (columns) {
        block.restore(columns);
        again(id);
        log({ level: 'warn', service: 'storage', event: 'mailbox is read from the journal' });
        return columns;
      }
    } catch (error) {
      if (!isMailError(error, 'CORRUPTION')) throw error;
      log({ level: 'error', service: 'storage', event: 'journal is damaged', error });
    }
    lost();
    throw new MailError('CORRUPTION', 'A part of the mailbox cannot be read now');
  }
}

/** Those of `state` that `block` had when it was written. */
function sameRows(state: MailboxState, block: About, { sum }: BlockEntry): Columns | undefined {
  const found = spans(state.blocks, [[block.firstUid, block.lastUid]]);
  const count = found.reduce((all, { from, end }) => all + end - from, 0);
  if (count !== block.length) return undefined;
  const rows = emptyRows(count, false);
  let at = 0;
  for (const { block: index, from, end } of found) {
    copyRows(rows, at, (state.blocks[index] as StoreBlock).columns, from, end);
    at += end - from;
  }
  const packed = new Packer(16 + count * ROW_OCTETS);
  packRows(packed, rows);
  return crc32(packed.bytes) === sum ? rows : undefined;
}
