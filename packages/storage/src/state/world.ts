/**
 * Everything a store knows, in cells with two values: `head` is what the next commit is planned on, `durable` is what
 * readers see. A commit moves `head` at once and `durable` when it has reached the disk.
 */
import {
  isExpungedMailbox,
  type AccountId,
  type Limits,
  type MailboxId,
  type ModSeq,
} from '@mail-server-kit/core';
import { noteHidden } from './expunged.ts';
import { OrderedKeys } from './keys.ts';
import type { MailboxState } from './mailbox.ts';
import type { Kept } from './pieces.ts';

export interface AccountState {
  readonly id: AccountId;
  /** Its id is never given again. */
  readonly destroyed: boolean;
  /** Given last. */
  readonly modSeq: ModSeq;
  readonly limits: Partial<Limits>;
  /** By name. */
  readonly mailboxes: ReadonlyMap<string, MailboxId>;
  /** Subscribed names without a mailbox, sorted. */
  readonly names: readonly string[];
  readonly messages: number;
  /** Of messages and records. */
  readonly octets: number;
}

export interface RecordState {
  readonly version: number;
  /** A deleted record leaves its version behind. */
  readonly gone: boolean;
  readonly kept: Kept;
  /** Octets of the content; undefined: it has none. */
  readonly size?: number;
  /** What counts for the quota: value and content. */
  readonly octets: number;
  readonly expires?: number;
  readonly account?: AccountId;
}

/** Given last, by the store. */
export interface Counters {
  readonly uidValidity: number;
  readonly mailbox: number;
  readonly email: number;
}

export interface Cell<T> {
  head: T | undefined;
  durable: T | undefined;
}

/** Versions of deleted records that a space remembers one by one. */
const REMEMBERED = 65_536;

export class Space {
  readonly keys = new OrderedKeys();
  readonly cells = new Map<string, Cell<RecordState>>();
  /** Deleted records, oldest first. Beyond REMEMBERED their highest version becomes the floor under all new ones. */
  readonly gone = new Map<string, number>();
  floor = 0;

  /**
   * `account`: whose it was. Its keys are not remembered, only how far they had come: they are to vanish with it. Returns a key
   * that is forgotten for it.
   */
  remember(key: string, version: number, account?: AccountId): string | undefined {
    this.gone.delete(key);
    if (account !== undefined) {
      this.floor = Math.max(this.floor, version);
      return undefined;
    }
    this.gone.set(key, version);
    if (this.gone.size <= REMEMBERED) return undefined;
    const [oldest, at] = this.gone.entries().next().value as [string, number];
    this.gone.delete(oldest);
    this.floor = Math.max(this.floor, at);
    return oldest;
  }
}

/**
 * What has become durable since the last checkpoint, as it is now. Values that nobody changes: they can be written in peace
 * while others take their place.
 */
export class Dirty {
  readonly accounts = new Map<AccountId, AccountState>();
  readonly mailboxes = new Map<MailboxId, MailboxState | undefined>();
  /** By space, then by key; undefined: it is gone. */
  readonly records = new Map<string, Map<string, RecordState | undefined>>();
  /** Versions of deleted records that spaces remember, likewise; undefined: it is forgotten. */
  readonly versions = new Map<string, Map<string, number | undefined>>();
  /** Floors of spaces that forgot one. */
  readonly floors = new Map<string, number>();
}

/** Sets a value in a map of maps. */
function put<V>(maps: Map<string, Map<string, V>>, space: string, key: string, value: V): void {
  let map = maps.get(space);
  if (!map) maps.set(space, (map = new Map()));
  map.set(key, value);
}

export class World {
  /** Kept by a store that writes checkpoints. */
  dirty: Dirty | undefined;
  readonly accounts = new Map<AccountId, Cell<AccountState>>();
  readonly mailboxes = new Map<MailboxId, Cell<MailboxState>>();
  readonly spaces = new Map<string, Space>();
  /** Mailboxes that others have rights to. */
  readonly shared = new Set<MailboxId>();
  /** Mailboxes of expunged messages (expunged.ts). */
  readonly hidden = new Set<MailboxId>();
  readonly counters: Cell<Counters> = {
    head: { uidValidity: 0, mailbox: 0, email: 0 },
    durable: { uidValidity: 0, mailbox: 0, email: 0 },
  };
}

/** What one commit changes, on top of `head` of a world. Nothing reaches the world before `publish`. */
export class Draft {
  readonly #accounts = new Map<AccountId, AccountState>();
  readonly #mailboxes = new Map<MailboxId, MailboxState | undefined>();
  readonly #records = new Map<string, Map<string, RecordState>>();
  readonly #floors = new Map<string, number>();
  #counters: Counters;

  constructor(readonly world: World) {
    this.#counters = world.counters.head as Counters;
  }

  get counters(): Counters {
    return this.#counters;
  }

  set counters(counters: Counters) {
    this.#counters = counters;
  }

  account(id: AccountId): AccountState | undefined {
    return this.#accounts.get(id) ?? this.world.accounts.get(id)?.head;
  }

  setAccount(account: AccountState): void {
    this.#accounts.set(account.id, account);
  }

  mailbox(id: MailboxId): MailboxState | undefined {
    if (this.#mailboxes.has(id)) return this.#mailboxes.get(id);
    return this.world.mailboxes.get(id)?.head;
  }

  setMailbox(id: MailboxId, mailbox: MailboxState | undefined): void {
    this.#mailboxes.set(id, mailbox);
  }

  /** Also a deleted one; undefined: there never was one. */
  record(space: string, key: string): RecordState | undefined {
    const drafted = this.#records.get(space)?.get(key);
    if (drafted) return drafted;
    const known = this.world.spaces.get(space);
    const head = known?.cells.get(key)?.head;
    if (head) return head;
    // The floor too: what is remembered may be older than a version whose owner was destroyed, key and all.
    const version = Math.max(known?.gone.get(key) ?? 0, known?.floor ?? 0);
    return version === 0 ? undefined : goneRecord(version);
  }

  setRecord(space: string, key: string, record: RecordState): void {
    let records = this.#records.get(space);
    if (!records) this.#records.set(space, (records = new Map()));
    records.set(key, record);
  }

  /** Mailboxes of its expunged messages. */
  *hiddenOf(account: AccountId): Generator<MailboxId> {
    for (const id of new Set([...this.world.hidden, ...this.#mailboxes.keys()])) {
      if (isExpungedMailbox(id) && this.mailbox(id)?.account === account) yield id;
    }
  }

  raiseFloor(space: string, version: number): void {
    this.#floors.set(space, Math.max(version, this.#floors.get(space) ?? 0));
  }

  /** Records that an account owns. Looks at all of them: it happens when an account is destroyed. */
  *recordsOf(account: AccountId): Generator<readonly [space: string, key: string]> {
    for (const [name, { cells }] of this.world.spaces) {
      for (const [key, { head }] of cells) {
        const now = this.#records.get(name)?.get(key) ?? head;
        if (now && !now.gone && now.account === account) yield [name, key];
      }
    }
    for (const [name, records] of this.#records) {
      for (const [key, now] of records) {
        const known = this.world.spaces.get(name)?.cells.has(key) ?? false;
        if (!known && !now.gone && now.account === account) yield [name, key];
      }
    }
  }

  /** Makes it the head. What is returned makes it durable, and must be called in the order of the commits. */
  publish(): () => void {
    const steps: (() => void)[] = [];
    const { world } = this;
    const move = <T>(cell: Cell<T>, value: T | undefined): void => {
      cell.head = value;
      steps.push(() => {
        cell.durable = value;
      });
    };
    if (this.#counters !== world.counters.head) move(world.counters, this.#counters);
    for (const [id, account] of this.#accounts) {
      move(cellOf(world.accounts, id), account);
      steps.push(() => world.dirty?.accounts.set(id, account));
    }
    for (const [id, mailbox] of this.#mailboxes) {
      const cell = cellOf(world.mailboxes, id);
      move(cell, mailbox);
      noteHidden(world, id, cell);
      steps.push(() => {
        noteHidden(world, id, cell);
        if (mailbox && mailbox.acl.length > 0) world.shared.add(id);
        else world.shared.delete(id);
        if (!cell.head && !mailbox) world.mailboxes.delete(id);
        world.dirty?.mailboxes.set(id, mailbox);
      });
    }
    for (const [name, records] of this.#records) {
      const space = spaceOf(world, name);
      for (const [key, record] of records) {
        const cell = cellOf(space.cells, key);
        move(cell, record);
        if (!record.gone) {
          space.keys.add(key);
          steps.push(() => world.dirty && put(world.dirty.records, name, key, record));
        } else {
          steps.push(() => {
            const { dirty } = world;
            if (dirty) put(dirty.records, name, key, undefined);
            if (cell.head !== record) return;
            space.cells.delete(key);
            space.keys.delete(key);
            const forgotten = space.remember(key, record.version, record.account);
            if (!dirty) return;
            put(dirty.versions, name, key, space.gone.get(key));
            if (forgotten !== undefined) put(dirty.versions, name, forgotten, undefined);
            dirty.floors.set(name, space.floor);
          });
        }
      }
    }
    for (const [name, version] of this.#floors) {
      steps.push(() => {
        const space = spaceOf(world, name);
        space.floor = Math.max(space.floor, version);
        world.dirty?.floors.set(name, space.floor);
      });
    }
    return () => {
      for (const step of steps) step();
    };
  }
}

/** Deleted records that a fold tells of. */
export function rememberGone(
  world: World,
  name: string,
  floor: number,
  gone: readonly (readonly [key: string, version: number])[],
): void {
  const space = spaceOf(world, name);
  const { dirty } = world;
  space.floor = Math.max(space.floor, floor);
  for (const [key, version] of gone) {
    const forgotten = space.remember(key, version);
    if (!dirty) continue;
    put(dirty.versions, name, key, version);
    if (forgotten !== undefined) put(dirty.versions, name, forgotten, undefined);
  }
  dirty?.floors.set(name, space.floor);
}

export const goneRecord = (version: number, account?: AccountId): RecordState => ({
  version,
  gone: true,
  kept: { place: 0, octets: 0 },
  octets: 0,
  ...(account === undefined ? {} : { account }),
});

function cellOf<K, T>(cells: Map<K, Cell<T>>, key: K): Cell<T> {
  let cell = cells.get(key);
  if (!cell) cells.set(key, (cell = { head: undefined, durable: undefined }));
  return cell;
}

export function spaceOf(world: World, name: string): Space {
  let space = world.spaces.get(name);
  if (!space) world.spaces.set(name, (space = new Space()));
  return space;
}
