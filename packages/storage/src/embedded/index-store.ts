/**
 * The index: checkpoints of everything but the octets, in Level, so that opening need not replay the whole journal. It is
 * never on the way of a commit and may be deleted at any time. Level loses and damages rows without an error, so
 * checkpoints are synced, every value has a checksum, and a manifest tells what has to be there.
 */
import type { AccountId, Log, MailboxId } from '@mail-server-kit/core';
import type { StoreBlock } from '../state/block.ts';
import type { MailboxState } from '../state/mailbox.ts';
import { Repeats, type Repeat } from '../state/repeats.ts';
import { Dirty, type Counters } from '../state/world.ts';
import type { CacheBudget } from './cache.ts';
import { emptyBase, type Base } from './engine.ts';
import { FactsIndex, type DueFacts } from './facts.ts';
import { IndexBatch } from './index-batch.ts';
import { BlockHome, IndexBlocks, blockKey, type BlocksOptions } from './index-blocks.ts';
import { IndexNames } from './index-names.ts';
import { loadIndex, recordKey, versionKey } from './index-load.ts';
import type { Damage } from './mirror/events.ts';
import { Levels } from './mirror/levels.ts';
import {
  OddIndex,
  isSound,
  packAccount,
  packApplied,
  packMailbox,
  packManifest,
  packRepeat,
  seal,
  type Label,
  type Sealed,
} from './pack-index.ts';
import { packRecord } from './pack-state.ts';
import type { Packer } from './pack.ts';
import type { Position } from './scan.ts';
import { Tallies } from './tallies.ts';
import type { Vault } from './vault/vault.ts';

export interface IndexOptions {
  /** One for each side. */
  readonly directories: readonly string[];
  readonly log: Log;
  readonly cache: CacheBudget;
  readonly rebuild: BlocksOptions['rebuild'];
}

/** What a checkpoint writes. All of it are values that nobody changes: commits go on meanwhile. */
interface Due {
  readonly facts: DueFacts;
  readonly position: Position;
  readonly counters: Counters;
  readonly dirty: Dirty;
  readonly repeats: ReadonlyMap<string, Repeat | undefined>;
}

export class Index {
  readonly #options: IndexOptions;
  readonly #levels: Levels;
  #blocks: IndexBlocks;
  readonly facts: FactsIndex;
  #store: Uint8Array = new Uint8Array(16);
  #vault: Vault | undefined;
  #base: Base | undefined;
  #tallies = new Tallies();
  /** Numbers of the blocks that are listed, by mailbox. */
  #listed = new Map<MailboxId, Set<number>>();
  #writing: Promise<void> = Promise.resolve();
  #names = new IndexNames(undefined);
  #broken = false;
  /** LSN of the last checkpoint. */
  applied = 0;
  /** Segment from which the next start replays: that of the last checkpoint that is on the disk. */
  replayed = Infinity;

  constructor(options: IndexOptions) {
    this.#options = options;
    this.#levels = new Levels(options.log);
    this.facts = new FactsIndex({ ...options, get: (key) => this.#levels.get(key) });
    this.#blocks = this.#newBlocks();
  }

  #newBlocks(): IndexBlocks {
    return new IndexBlocks({
      ...this.#options,
      get: (key) => this.#levels.get(key),
      again: (id) => {
        const { world } = this.#base as Base;
        world.dirty?.mailboxes.set(id, world.mailboxes.get(id)?.durable);
      },
      lost: () => this.#forget(),
    });
  }

  /** What the last checkpoint knew; an empty base if there is none to be trusted. @throws MailError UNAVAILABLE if another process has it */
  async load(
    store: Uint8Array,
    vault?: Vault,
    fits: (position: Position) => boolean = () => true,
  ): Promise<Base> {
    this.#store = store;
    this.#vault = this.facts.vault = vault;
    const loaded = await this.#levels.open(this.#options.directories, (level) => {
      this.#blocks = this.#newBlocks();
      this.#blocks.vault = vault;
      this.facts.reset();
      const names = (this.#names = new IndexNames(vault));
      const { facts } = this;
      return fitting(loadIndex(level, { store, vault, blocks: this.#blocks, facts, names }), fits);
    });
    if (!loaded) this.#names = new IndexNames(vault);
    // The journal has everything, and the log says why there is no index.
    this.#broken = this.#levels.size === 0;
    if (loaded) {
      this.#tallies = loaded.tallies;
      this.#listed = loaded.listed;
      this.applied = loaded.base.position.lsn;
      this.replayed = loaded.base.position.segment;
    }
    this.#base = loaded?.base ?? { ...emptyBase(), repeats: new Repeats(true) };
    this.#base.world.dirty ??= new Dirty();
    return this.#base;
  }

  /** Writes what has changed since the last one. `position`: of the first record that the world does not know. */
  checkpoint(position: Position): Promise<void> {
    if (this.#broken || !this.#base || position.lsn === this.applied) return this.#writing;
    const { world, repeats } = this.#base;
    const due: Due = {
      position,
      counters: world.counters.durable as Counters,
      dirty: world.dirty as Dirty,
      repeats: repeats.takeChanged(),
      facts: this.facts.take(),
    };
    world.dirty = new Dirty();
    this.applied = position.lsn;
    this.#writing = this.#writing.then(() => this.#write(due));
    return this.#writing;
  }

  /**
   * Blocks first: as nobody knows of them before the last batch, in which everything else is, a crash finds the old
   * checkpoint or the new one.
   */
  async #write({ position, counters, dirty, repeats, facts }: Due): Promise<void> {
    if (this.#broken) return;
    const { lsn } = position;
    const blocks = new IndexBatch(this.#levels);
    const last = new IndexBatch(this.#levels);
    const fresh: [StoreBlock, BlockHome][] = [];
    try {
      for (const [id, mailbox] of dirty.mailboxes) {
        const homes = await this.#packBlocks(mailbox, blocks, fresh, lsn);
        this.#list(id, homes);
        const entries = mailbox?.blocks.map((block, i) => [block, homes[i] as BlockHome] as const);
        await this.#keep(
          last,
          { key: `m/${id}`, account: mailbox?.account ?? '', lsn },
          mailbox && ((to) => packMailbox(to, mailbox, entries ?? [])),
        );
      }
      for (const [account, came] of facts.came) {
        for (const { key, value } of this.facts.pack(account, came, lsn)) {
          await blocks.put(key, value);
          if (blocks.octets > BATCH) await blocks.write();
        }
      }
      await blocks.write();
      await this.#packFacts(facts, last, lsn);
      await this.#packRest(dirty, repeats, last, lsn);
      const store = { account: '', lsn } as const;
      for (const number of this.#blocks.takeUnused()) await last.delete(blockKey(number));
      const { last: lastBlock, stale } = this.#blocks;
      const manifest = this.#seal({ key: 'g', ...store }, (to) =>
        packManifest(to, { counters, lastBlock, stale, tallies: this.#tallies.kinds }),
      );
      const applied = this.#seal({ key: 'z', ...store }, (to) =>
        packApplied(to, { store: this.#store, position, manifest: manifest.crc }),
      );
      await last.put('g', manifest.bytes);
      await last.put('z', applied.bytes);
      await last.write();
      this.#blocks.applied = lsn;
      this.replayed = position.segment;
      for (const [block, home] of fresh) this.#blocks.settle(block, home);
    } catch (error) {
      // The journal has everything; the next start makes a new index.
      this.#broken = true;
      const event = 'checkpoint failed';
      this.#options.log({ level: 'error', service: 'storage', event, error });
    }
  }

  /** Where each block of the mailbox lies; those that lie nowhere yet are packed. */
  async #packBlocks(
    mailbox: MailboxState | undefined,
    batch: IndexBatch,
    fresh: [StoreBlock, BlockHome][],
    lsn: number,
  ): Promise<BlockHome[]> {
    const homes: BlockHome[] = [];
    const before = fresh.length;
    if (!mailbox) return homes;
    for (const block of mailbox.blocks) {
      if (!this.#isReadable(mailbox.account)) {
        // It was destroyed meanwhile: nobody lists what was packed of it.
        for (const { number } of homes) this.#blocks.retire(number);
        fresh.length = before;
        return [];
      }
      let home = block.home as BlockHome | undefined;
      if (!home) {
        const packed = this.#blocks.pack(mailbox, block, lsn);
        ({ home } = packed);
        await batch.put(packed.key, packed.value.bytes);
        if (batch.octets > BATCH) await batch.write();
        fresh.push([block, home]);
      }
      homes.push(home);
    }
    return homes;
  }

  #list(id: MailboxId, homes: readonly BlockHome[]): void {
    const now = new Set(homes.map(({ number }) => number));
    for (const number of this.#listed.get(id) ?? []) {
      if (!now.has(number)) this.#blocks.retire(number);
    }
    if (now.size > 0) this.#listed.set(id, now);
    else this.#listed.delete(id);
  }

  async #packFacts({ came, gone }: DueFacts, batch: IndexBatch, lsn: number): Promise<void> {
    for (const [account, count] of came) {
      this.facts.settle(account, count);
      const label = { key: `p/${account}`, account, lsn };
      await this.#keep(batch, label, this.facts.list(account, count));
    }
    for (const key of gone) await batch.delete(key);
  }

  async #packRest(
    dirty: Dirty,
    repeats: Due['repeats'],
    batch: IndexBatch,
    lsn: number,
  ): Promise<void> {
    for (const [id, account] of dirty.accounts) {
      // That an account is gone has to be known also without its key.
      const label = { key: `a/${id}`, account: account.destroyed ? '' : id, lsn } as const;
      await this.#keep(batch, label, (to) => packAccount(to, account));
    }
    for (const [space, records] of dirty.records) {
      for (const [name, record] of records) {
        const label = { key: recordKey(space, name), account: record?.account ?? '', lsn } as const;
        await this.#keep(batch, label, record && ((to) => packRecord(to, record)));
      }
    }
    const store = { account: '', lsn } as const;
    for (const [space, versions] of dirty.versions) {
      for (const [name, version] of versions) {
        const label = { key: versionKey(space, name), ...store };
        const pack = (to: Packer) => to.varint(version as number);
        await this.#keep(batch, label, version === undefined ? undefined : pack);
      }
    }
    for (const [space, floor] of dirty.floors) {
      await this.#keep(batch, { key: `s/${space}`, ...store }, (to) => to.varint(floor));
    }
    for (const [id, repeat] of repeats) {
      const label = { key: `i/${id}`, account: repeat?.account ?? '', lsn } as const;
      await this.#keep(batch, label, repeat && ((to) => packRepeat(to, repeat)));
    }
  }

  /** `label` has the name of the value for its key. `pack`: undefined, there is no such value any more. */
  async #keep(
    batch: IndexBatch,
    label: Label,
    pack: ((to: Packer) => void) | undefined,
  ): Promise<void> {
    const { key: name, account } = label;
    const key = this.#names.keyOf(name);
    // An account that was destroyed since has no key, and needs no value.
    if (pack && this.#isReadable(account)) {
      const named = (to: Packer) => {
        if (this.#names.hides(name)) to.text(name);
        pack(to);
      };
      const { bytes, crc } = this.#seal({ ...label, key }, named);
      this.#tallies.set(key, crc);
      await batch.put(key, bytes);
      return;
    }
    this.#names.forget(name);
    if (this.#tallies.delete(key)) await batch.delete(key);
  }

  #isReadable(account: AccountId | ''): boolean {
    return this.#vault?.has(account) ?? true;
  }

  #seal(label: Label, pack: (to: Packer) => void): Sealed {
    return seal(label, pack, { vault: this.#vault });
  }

  /** Without a position it is no index. */
  #forget(): void {
    this.#broken = true;
    this.#levels.spoil();
  }

  /** After the last checkpoint. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#levels.close();
    if (this.#broken) this.#levels.remove();
  }

  /**
   * Looks at every value of every index. An index with something odd in it is made anew from another, or else at the next
   * start from the journal.
   */
  async scrub(): Promise<readonly Damage[]> {
    await this.#writing;
    const odd = await this.#levels.findOdd(isSound);
    const all = odd.length === this.#levels.size;
    if (all && odd.length > 0) this.#forget();
    else for (const directory of odd) await this.add(directory);
    return odd.map((directory) => ({ directory, healed: !all }));
  }

  /** Makes an index for a side that has come back. Checkpoints wait. */
  add(directory: string): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      await this.#levels.add(directory);
    });
    return this.#writing;
  }

  /** The side is out. Not waited for: its disk may hang. */
  drop(directory: string): void {
    void this.#levels.drop(directory);
  }
}

/** Octets of blocks in one batch. */
const BATCH = 8 * 1_048_576;

/** @throws OddIndex if changes from its position on cannot be read any more */
async function fitting<Found extends { readonly base: Base } | undefined>(
  loading: Promise<Found>,
  fits: (position: Position) => boolean,
): Promise<Found> {
  const loaded = await loading;
  if (loaded && !fits(loaded.base.position)) throw new OddIndex('older than the journal');
  return loaded;
}
