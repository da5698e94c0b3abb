/** Makes a world of the index, or finds something odd in it. */
import type { ClassicLevel } from 'classic-level';
import { isExpungedMailbox, type AccountId, type MailboxId } from '@mail-server-kit/core';
import { blockOf, type StoreBlock } from '../state/block.ts';
import type { MailboxState } from '../state/mailbox.ts';
import { Repeats, type Repeat } from '../state/repeats.ts';
import { Dirty, World, spaceOf } from '../state/world.ts';
import type { Base } from './engine.ts';
import {
  OddIndex,
  unpackAccount,
  unpackApplied,
  unpackMailbox,
  unpackManifest,
  unpackRepeat,
  unpackSpace,
  unseal,
  type Applied,
  type BlockEntry,
  type Manifest,
  type Tally,
  type Unsealed,
} from './pack-index.ts';
import { unpackRecord, unpackRows } from './pack-state.ts';
import { UnpackError } from './pack.ts';

export type Level = ClassicLevel<string, Uint8Array>;

export interface Loaded {
  readonly base: Base;
  /** Checksum of every value but the blocks, by key. */
  readonly sums: Map<string, number>;
  readonly blocks: ReadonlyMap<StoreBlock, BlockEntry>;
  /** Numbers of blocks in the index, by mailbox. */
  readonly written: Map<MailboxId, Set<number>>;
  readonly lastBlock: number;
}

interface Parts {
  readonly world: World;
  readonly repeats: Repeat[];
  readonly sums: Map<string, number>;
  readonly lists: Map<MailboxId, readonly BlockEntry[]>;
  readonly blocks: Map<string, { readonly block: StoreBlock; readonly crc: number }>;
  readonly tallies: Map<string, Tally>;
  manifest?: { readonly value: Manifest; readonly crc: number };
  applied?: Applied;
  latest: number;
}

/** @throws OddIndex */
export async function loadIndex(level: Level, store: Uint8Array): Promise<Loaded | undefined> {
  const parts: Parts = {
    world: new World(),
    repeats: [],
    sums: new Map(),
    lists: new Map(),
    blocks: new Map(),
    tallies: new Map(),
    latest: 0,
  };
  let empty = true;
  for await (const [key, bytes] of level.iterator()) {
    empty = false;
    try {
      take(parts, key, unseal(key, bytes));
    } catch (error) {
      if (!(error instanceof UnpackError)) throw error;
      throw new OddIndex(`${key} cannot be read`, { cause: error });
    }
  }
  return empty ? undefined : assemble(parts, store);
}

function take(parts: Parts, key: string, { from, lsn, crc }: Unsealed): void {
  const { world } = parts;
  const kind = key.slice(0, 2);
  const name = key.slice(2);
  parts.latest = Math.max(parts.latest, lsn);
  switch (kind) {
    case 'a/': {
      const account = unpackAccount(name as AccountId, from);
      world.accounts.set(account.id, { head: account, durable: account });
      break;
    }
    case 'm/': {
      const { mailbox, blocks } = unpackMailbox(name as MailboxId, from);
      world.mailboxes.set(mailbox.id, { head: mailbox, durable: mailbox });
      parts.lists.set(mailbox.id, blocks);
      break;
    }
    case 'b/':
      parts.blocks.set(name, { block: blockOf(unpackRows(from)), crc });
      return;
    case 'r/': {
      const [space = '', recordKey = ''] = splitKey(name);
      const record = unpackRecord(from);
      const { cells, keys } = spaceOf(world, space);
      cells.set(recordKey, { head: record, durable: record });
      keys.add(recordKey);
      break;
    }
    case 's/':
      unpackSpace(from, spaceOf(world, name));
      break;
    case 'i/':
      parts.repeats.push(unpackRepeat(name, from));
      break;
    case 'g':
      parts.manifest = { value: unpackManifest(from), crc };
      return;
    case 'z':
      parts.applied = unpackApplied(from);
      if (parts.applied.position.lsn !== lsn) throw new OddIndex('position is odd');
      return;
    default:
      throw new OddIndex(`unknown key ${key}`);
  }
  parts.sums.set(key, crc);
  addTo(parts.tallies, key, crc, 1);
}

/** Keys and spaces may hold any character but each tells its length. */
export const recordKey = (space: string, key: string): string => `r/${space.length}:${space}${key}`;

function splitKey(name: string): readonly [string, string] {
  const colon = name.indexOf(':');
  const end = colon + 1 + Number(name.slice(0, colon));
  return [name.slice(colon + 1, end), name.slice(end)];
}

export function addTo(tallies: Map<string, Tally>, key: string, crc: number, sign: 1 | -1): void {
  const kind = key.slice(0, 1);
  let tally = tallies.get(kind);
  if (!tally) tallies.set(kind, (tally = { count: 0, sum: 0 }));
  tally.count += sign;
  tally.sum = (tally.sum + sign * crc) >>> 0;
}

function assemble(parts: Parts, store: Uint8Array): Loaded {
  const { world, applied, manifest, sums, lists, tallies } = parts;
  if (!applied || !manifest) throw new OddIndex('no position or no manifest');
  if (Buffer.compare(applied.store, store) !== 0) throw new OddIndex('of another store');
  if (applied.manifest !== manifest.crc) throw new OddIndex('manifest of another checkpoint');
  if (parts.latest > applied.position.lsn) throw new OddIndex('a checkpoint was not finished');
  compareTallies(manifest.value.tallies, tallies);
  world.counters.head = world.counters.durable = manifest.value.counters;
  const blocks = new Map<StoreBlock, BlockEntry>();
  const written = new Map<MailboxId, Set<number>>();
  let lastBlock = 0;
  for (const [id, list] of lists) {
    const mailbox = world.mailboxes.get(id)?.durable as MailboxState;
    const own = list.map((entry) => {
      const found = parts.blocks.get(`${id}/${entry.number}`);
      if (found?.crc !== entry.crc) throw new OddIndex(`block ${entry.number} of ${id} is odd`);
      blocks.set(found.block, entry);
      lastBlock = Math.max(lastBlock, entry.number);
      return found.block;
    });
    written.set(id, new Set(list.map(({ number }) => number)));
    settleMailbox(world, { ...mailbox, blocks: own });
  }
  if (blocks.size !== parts.blocks.size) throw new OddIndex('a block belongs to no mailbox');
  const repeats = new Repeats(true);
  for (const repeat of parts.repeats.sort((a, b) => a.at - b.at)) repeats.add(repeat, repeat.at);
  repeats.takeChanged();
  world.dirty = new Dirty();
  return { base: { world, repeats, position: applied.position }, sums, blocks, written, lastBlock };
}

function compareTallies(
  expected: ReadonlyMap<string, Tally>,
  found: ReadonlyMap<string, Tally>,
): void {
  for (const kind of new Set([...expected.keys(), ...found.keys()])) {
    const a = expected.get(kind) ?? { count: 0, sum: 0 };
    const b = found.get(kind) ?? { count: 0, sum: 0 };
    if (a.count !== b.count || a.sum !== b.sum) throw new OddIndex(`values of ${kind} are missing`);
  }
}

function settleMailbox(world: World, mailbox: MailboxState): void {
  const count = mailbox.blocks.reduce((sum, { uid }) => sum + uid.length, 0);
  if (count !== mailbox.messages)
    throw new OddIndex(`${mailbox.id} has another number of messages`);
  world.mailboxes.set(mailbox.id, { head: mailbox, durable: mailbox });
  if (mailbox.acl.length > 0) world.shared.add(mailbox.id);
  const cell = world.accounts.get(mailbox.account);
  const owner = cell?.durable;
  if (!owner) throw new OddIndex(`${mailbox.id} belongs to nobody`);
  if (isExpungedMailbox(mailbox.id)) {
    world.hidden.add(mailbox.id);
    return;
  }
  // Nobody else has this map yet.
  (owner.mailboxes as Map<string, MailboxId>).set(mailbox.name, mailbox.id);
}
