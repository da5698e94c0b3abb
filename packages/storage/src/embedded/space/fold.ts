/** Makes folds: the state of a mailbox, an account, a space of records, as changes that would make it out of nothing. */
import { expungedMailboxOf, type AccountId, type MailboxId } from '@mail-server-kit/core';
import { ROW_OCTETS, copyRows, emptyRows } from '../../state/columns.ts';
import type { Delta } from '../../state/delta.ts';
import type { MailboxState, Vanished } from '../../state/mailbox.ts';
import type { World } from '../../state/world.ts';
import { octetsOf, type Item } from './items.ts';

/** A change that is made when it is its turn, for a state may be large. */
export interface Step {
  readonly octets: number;
  readonly make: () => Delta;
}

const step = (delta: Delta, octets = octetsOf(delta)): Step => ({ octets, make: () => delta });

/** Octets of the state of something, about: what a fold of it takes. Undefined: it is not there. */
export function tableOctets(world: World, { key }: Item): number | undefined {
  const id = key.slice(1);
  switch (key[0]) {
    case 'm': {
      const both = mailboxesOf(world, id as MailboxId);
      if (both.length === 0) return undefined;
      return both.reduce((sum, each) => sum + mailboxOctets(each), 0);
    }
    case 'a': {
      const account = world.accounts.get(id as AccountId)?.durable;
      return account && 64 + 12 * account.mailboxes.size + 16 * account.names.length;
    }
    case 's': {
      const space = world.spaces.get(id);
      return space && 16 + 80 * space.cells.size + 24 * space.gone.size;
    }
    default:
      return 16;
  }
}

const mailboxOctets = ({ messages, vanishedRanges, vanished }: MailboxState) =>
  80 + messages * ROW_OCTETS + vanished.length * 12 + vanishedRanges * 4;

/** The mailbox and that of its expunged messages, as far as they are there. */
const mailboxesOf = (world: World, id: MailboxId): MailboxState[] =>
  [id, expungedMailboxOf(id)].flatMap((each) => world.mailboxes.get(each)?.durable ?? []);

/** The durable state, as of this moment: nothing that it is made of changes afterwards. `most`: octets that one step may have. */
export function foldSteps(world: World, { key }: Item, most: number): Step[] {
  const id = key.slice(1);
  switch (key[0]) {
    case 'm':
      return mailboxesOf(world, id as MailboxId).flatMap((each) => mailboxSteps(each, most));
    case 'a':
      return accountSteps(world, id as AccountId, most);
    case 's':
      return spaceSteps(world, id, most);
    default: {
      const { durable } = world.counters;
      return durable ? [step({ kind: 'counters', ...durable })] : [];
    }
  }
}

function mailboxSteps(state: MailboxState, most: number): Step[] {
  const { id, account, uidValidity, uidNext, highestModSeq: modSeq, flagNames } = state;
  const { name, specialUse, subscribed, acl, metadata, limits, vanishedFrom } = state;
  const inside = { mailbox: id, account, modSeq };
  const properties = {
    ...{ name, subscribed, acl, metadata, limits },
    ...(specialUse === undefined ? {} : { specialUse }),
  };
  const steps: Step[] = [step({ kind: 'mailbox', ...inside, uidValidity, properties })];
  const perStep = Math.max(1, Math.floor((most - 1024) / ROW_OCTETS));
  for (const block of state.blocks) {
    for (let from = 0; from < block.length; from += perStep) {
      const end = Math.min(block.length, from + perStep);
      steps.push({
        octets: 64 + (end - from) * ROW_OCTETS,
        make: () => {
          const rows = emptyRows(end - from, false);
          copyRows(rows, 0, block.columns, from, end);
          return { kind: 'rows', ...inside, flagNames, rows };
        },
      });
    }
  }
  for (const vanished of vanishedChunks(state.vanished, most)) {
    const octets = 64 + vanished.reduce((sum, { uids }) => sum + 14 + 8 * uids.length, 0);
    steps.push(
      step({ kind: 'mailboxState', ...inside, uidNext, flagNames, vanishedFrom, vanished }, octets),
    );
  }
  return steps;
}

/** At least one, though it be empty. What one expunge left behind may be large by itself: it is cut too. */
function vanishedChunks(vanished: readonly Vanished[], most: number): Vanished[][] {
  const perChunk = Math.max(1, Math.floor((most - 1024) / 24));
  const chunks: Vanished[][] = [[]];
  let ranges = 0;
  for (const { at, modSeq, uids } of vanished) {
    for (let from = 0; from < uids.length; from += perChunk) {
      const part = uids.slice(from, from + perChunk);
      if (ranges + part.length > perChunk) {
        chunks.push([]);
        ranges = 0;
      }
      ranges += part.length;
      (chunks.at(-1) as Vanished[]).push({ at, modSeq, uids: part });
    }
  }
  return chunks;
}

function accountSteps(world: World, id: AccountId, most: number): Step[] {
  const account = world.accounts.get(id)?.durable;
  if (!account) return [];
  const { destroyed, modSeq, limits, names } = account;
  const ids = new Set<MailboxId>(destroyed ? [] : account.mailboxes.values());
  for (const hidden of world.hidden) {
    if (world.mailboxes.get(hidden)?.durable?.account === id) ids.add(hidden.slice(1) as MailboxId);
  }
  const all = [...ids];
  const perStep = Math.max(1, Math.floor((most - 1024) / 66));
  const steps: Step[] = [];
  for (let from = 0; from === 0 || from < all.length; from += perStep) {
    const mailboxes = all.slice(from, from + perStep);
    const state = { account: id, destroyed, modSeq, limits, mailboxes };
    const octets = 80 + mailboxes.reduce((sum, { length }) => sum + length + 1, 0);
    // Names of a thousand subscriptions may fill a part by themselves, and are said once.
    const own = from === 0 ? names : [];
    const text = own.reduce((sum, { length }) => sum + 3 * length + 2, 0);
    steps.push(step({ kind: 'accountState', ...state, names: own }, octets + text));
  }
  // Each replaces names and limits: the one with the names has to be the last.
  return steps.reverse();
}

function spaceSteps(world: World, name: string, most: number): Step[] {
  const space = world.spaces.get(name);
  if (!space) return [];
  const gone = new Map(space.gone);
  let { floor } = space;
  const steps: Step[] = [];
  for (const [key, { durable: record }] of space.cells) {
    // Its deletion is durable while a later put is under way.
    if (record?.gone) {
      // The keys of what an account had are not remembered.
      if (record.account === undefined) gone.set(key, record.version);
      else floor = Math.max(floor, record.version);
    }
    if (record && !record.gone) {
      const delta: Delta = { kind: 'record', space: name, key, record };
      steps.push(step(delta, octetsOf(delta) + 3 * key.length + 64));
    }
  }
  const versions = [...gone];
  const perStep = Math.max(1, Math.floor((most - 1024) / 210));
  for (let from = 0; from === 0 || from < versions.length; from += perStep) {
    const part = versions.slice(from, from + perStep);
    const octets = 32 + part.reduce((sum, [key]) => sum + 3 * key.length + 10, 0);
    steps.push(step({ kind: 'spaceState', space: name, floor, gone: part }, octets));
  }
  return steps;
}

/** Steps in parts of at most `most` octets, or of one step. */
export function inParts(steps: readonly Step[], most: number): Step[][] {
  const parts: Step[][] = [];
  let octets = Infinity;
  for (const each of steps) {
    if (octets + each.octets > most) {
      parts.push([]);
      octets = 0;
    }
    (parts.at(-1) as Step[]).push(each);
    octets += each.octets;
  }
  return parts;
}
