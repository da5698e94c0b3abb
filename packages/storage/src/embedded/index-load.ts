/** Makes a world of the index, or finds something odd in it. No block is read. */
import { isExpungedMailbox, type AccountId, type MailboxId } from '@mail-server-kit/core';
import type { MailboxState } from '../state/mailbox.ts';
import { Repeats, type Repeat } from '../state/repeats.ts';
import { Dirty, World, spaceOf } from '../state/world.ts';
import type { Base } from './engine.ts';
import type { FactsIndex } from './facts.ts';
import { blockKey, type IndexBlocks } from './index-blocks.ts';
import type { IndexNames } from './index-names.ts';
import type { Level } from './mirror/levels.ts';
import {
  OddIndex,
  unpackAccount,
  unpackApplied,
  unpackMailbox,
  unpackManifest,
  unpackRepeat,
  unseal,
  type Applied,
  type Manifest,
  type Unsealed,
} from './pack-index.ts';
import { unpackRecord } from './pack-state.ts';
import { UnpackError } from './pack.ts';
import { Tallies } from './tallies.ts';
import type { Vault } from './vault/vault.ts';

export interface Loaded {
  readonly base: Base;
  readonly tallies: Tallies;
  /** Numbers of the blocks that are listed, by mailbox. */
  readonly listed: Map<MailboxId, Set<number>>;
}

interface Parts {
  readonly world: World;
  readonly repeats: Repeat[];
  readonly tallies: Tallies;
  readonly lists: Map<MailboxId, ReturnType<typeof unpackMailbox>['blocks']>;
  /** Versions of deleted records, each with the LSN of its checkpoint. */
  readonly versions: (readonly [space: string, key: string, version: number, lsn: number])[];
  manifest?: { readonly value: Manifest; readonly crc: number };
  applied?: Applied;
  latest: number;
}

/** Keys of the small values: everything around the blocks, of tables and of facts. */
const small = [{ lt: 'b/' }, { gte: 'b0', lt: 'f/' }, { gte: 'f0' }] as const;

export interface LoadOptions {
  readonly store: Uint8Array;
  readonly vault: Vault | undefined;
  readonly blocks: IndexBlocks;
  readonly facts: FactsIndex;
  /** Learns what is there. */
  readonly names: IndexNames;
}

/** @throws OddIndex; MailError EXPUNGED, CORRUPTION if a value cannot be unsealed */
export async function loadIndex(
  level: Level,
  { store, vault, blocks, facts, names }: LoadOptions,
): Promise<Loaded | undefined> {
  const parts: Parts = {
    world: new World(),
    repeats: [],
    tallies: new Tallies(),
    lists: new Map(),
    versions: [],
    latest: 0,
  };
  let empty = true;
  for (const range of small) {
    for await (const [key, bytes] of level.iterator(range)) {
      empty = false;
      try {
        const value = unseal(key, bytes, vault);
        const name = names.hides(key) ? value.from.text() : key;
        if (name !== key) names.learn(name, key);
        take(parts, { key, name }, value, facts);
      } catch (error) {
        if (!(error instanceof UnpackError)) throw error;
        throw new OddIndex(`${key} cannot be read`, { cause: error });
      }
    }
  }
  if (empty) return undefined;
  const loaded = assemble(parts, store, blocks);
  // Of a checkpoint that was not finished.
  await level.clear({ gt: blockKey(blocks.last), lt: 'b0' });
  return loaded;
}

function take(
  parts: Parts,
  { key, name: whole }: { readonly key: string; readonly name: string },
  { account, from, lsn, crc }: Unsealed,
  facts: FactsIndex,
): void {
  const { world } = parts;
  const kind = whole.slice(0, 2);
  const name = whole.slice(2);
  parts.latest = Math.max(parts.latest, lsn);
  switch (kind) {
    case 'a/': {
      const state = unpackAccount(name as AccountId, from);
      world.accounts.set(state.id, { head: state, durable: state });
      break;
    }
    case 'm/': {
      const { mailbox, blocks } = unpackMailbox(name as MailboxId, account as AccountId, from);
      world.mailboxes.set(mailbox.id, { head: mailbox, durable: mailbox });
      parts.lists.set(mailbox.id, blocks);
      break;
    }
    case 'r/': {
      const [space, recordName] = splitKey(name);
      const record = unpackRecord(from);
      const { cells, keys } = spaceOf(world, space);
      cells.set(recordName, { head: record, durable: record });
      keys.add(recordName);
      break;
    }
    case 'p/':
      facts.adopt(name as AccountId, from);
      break;
    case 's/':
      spaceOf(world, name).floor = from.varint();
      break;
    case 'v/':
      parts.versions.push([...splitKey(name), from.varint(), lsn]);
      break;
    case 'i/':
      parts.repeats.push(unpackRepeat(name, account, from));
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
  parts.tallies.set(key, crc);
}

/** Keys and spaces may hold any character but each tells its length. */
export const recordKey = (space: string, key: string): string => `r/${space.length}:${space}${key}`;

/** Of the version that a deleted record left behind. */
export const versionKey = (space: string, key: string): string =>
  `v/${space.length}:${space}${key}`;

function splitKey(name: string): readonly [string, string] {
  const colon = name.indexOf(':');
  const end = colon + 1 + Number(name.slice(0, colon));
  return [name.slice(colon + 1, end), name.slice(end)];
}

function assemble(parts: Parts, store: Uint8Array, blocks: IndexBlocks): Loaded {
  const { world, applied, manifest, lists, tallies } = parts;
  if (!applied || !manifest) throw new OddIndex('no position or no manifest');
  if (Buffer.compare(applied.store, store) !== 0) throw new OddIndex('of another store');
  if (applied.manifest !== manifest.crc) throw new OddIndex('manifest of another checkpoint');
  if (parts.latest > applied.position.lsn) throw new OddIndex('a checkpoint was not finished');
  const { counters, lastBlock, stale } = manifest.value;
  const odd = tallies.otherThan(manifest.value.tallies);
  if (odd !== undefined) throw new OddIndex(`values of ${odd} are missing`);
  world.counters.head = world.counters.durable = counters;
  blocks.begin(lastBlock, stale, applied.position.lsn);
  const listed = new Map<MailboxId, Set<number>>();
  for (const [id, list] of lists) {
    const mailbox = world.mailboxes.get(id)?.durable as MailboxState;
    const own = list.map((entry) => blocks.handle(id, entry));
    if (list.length > 0) listed.set(id, new Set(list.map(([, { number }]) => number)));
    settleMailbox(world, { ...mailbox, blocks: own });
  }
  // The oldest are forgotten first.
  for (const [space, key, version] of parts.versions.sort((a, b) => a[3] - b[3])) {
    spaceOf(world, space).gone.set(key, version);
  }
  const repeats = new Repeats(true);
  for (const repeat of parts.repeats.sort((a, b) => a.at - b.at)) repeats.add(repeat, repeat.at);
  repeats.takeChanged();
  world.dirty = new Dirty();
  return { base: { world, repeats, position: applied.position }, tallies, listed };
}

function settleMailbox(world: World, mailbox: MailboxState): void {
  const sum = (of: 'length' | 'unseen' | 'deleted') =>
    mailbox.blocks.reduce((all, block) => all + block[of], 0);
  if (
    sum('length') !== mailbox.messages ||
    sum('unseen') !== mailbox.unseen ||
    sum('deleted') !== mailbox.deleted
  ) {
    throw new OddIndex(`${mailbox.id} has another number of messages`);
  }
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
