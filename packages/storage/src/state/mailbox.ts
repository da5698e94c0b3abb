/**
 * One mailbox as a value, and what may happen to it. Every function returns a new value; blocks that did not change are
 * the same objects in it.
 */
import {
  flagBit,
  systemFlags,
  type AccountId,
  type MailboxId,
  type MailboxInfo,
  type MailboxLimits,
  type MailboxSnapshot,
  type ModSeq,
  type Uid,
  type UidRanges,
  type UidValidity,
} from '@mail-server-kit/core';
import { blockOf, type StoreBlock } from './block.ts';
import { appendRows, removeRows, spans, type Span } from './blocks.ts';
import { withOwnFlags, type Columns } from './columns.ts';
import { changeFlags, type FlagChange } from './flag-change.ts';

/** What may be set from outside. */
export interface Properties {
  readonly name: string;
  readonly specialUse?: string;
  readonly subscribed: boolean;
  readonly acl: readonly (readonly [who: AccountId, rights: string])[];
  readonly metadata: readonly (readonly [entry: string, value: Uint8Array])[];
  readonly limits: MailboxLimits;
}

/** Uids expunged by one write. */
export interface Vanished {
  /** When, in ms since 1970. */
  readonly at: number;
  readonly modSeq: ModSeq;
  readonly uids: UidRanges;
}

export interface MailboxState extends Properties {
  readonly id: MailboxId;
  readonly account: AccountId;
  readonly uidValidity: UidValidity;
  readonly uidNext: Uid;
  readonly highestModSeq: ModSeq;
  readonly flagNames: readonly string[];
  readonly blocks: readonly StoreBlock[];
  readonly messages: number;
  readonly unseen: number;
  readonly deleted: number;
  readonly octets: number;
  /** Ascending by modseq. */
  readonly vanished: readonly Vanished[];
  /** Ranges in `vanished`. */
  readonly vanishedRanges: number;
  /** What vanished at or below this is forgotten. */
  readonly vanishedFrom: ModSeq;
}

export function emptyMailbox(
  id: MailboxId,
  account: AccountId,
  uidValidity: UidValidity,
  modSeq: ModSeq,
  properties: Properties,
): MailboxState {
  return {
    ...properties,
    id,
    account,
    uidValidity,
    uidNext: 1 as Uid,
    highestModSeq: modSeq,
    flagNames: systemFlags,
    blocks: [],
    messages: 0,
    unseen: 0,
    deleted: 0,
    octets: 0,
    vanished: [],
    vanishedRanges: 0,
    vanishedFrom: 0 as ModSeq,
  };
}

/** Rows with uids of at least `uidNext`, ascending. */
export function withRows(
  mailbox: MailboxState,
  rows: Columns,
  flagNames: readonly string[],
  modSeq: ModSeq,
): MailboxState {
  const count = rows.uid.length;
  if (count === 0) return mailbox;
  let { unseen, deleted, octets } = mailbox;
  for (let i = 0; i < count; i++) {
    const flags = rows.flagsLow[i] as number;
    if (!(flags & flagBit.seen)) unseen++;
    if (flags & flagBit.deleted) deleted++;
    octets += rows.size[i] as number;
  }
  return {
    ...mailbox,
    blocks: appendRows(mailbox.blocks, rows),
    uidNext: ((rows.uid[count - 1] as number) + 1) as Uid,
    highestModSeq: Math.max(mailbox.highestModSeq, modSeq) as ModSeq,
    flagNames,
    messages: mailbox.messages + count,
    unseen,
    deleted,
    octets,
  };
}

/** All of `uids` get the modseq. */
export function withFlags(
  mailbox: MailboxState,
  uids: UidRanges,
  change: FlagChange,
  flagNames: readonly string[],
  modSeq: ModSeq,
): MailboxState {
  const blocks = mailbox.blocks.slice();
  let { unseen, deleted } = mailbox;
  const found = spans(mailbox.blocks, uids);
  for (let next = 0; next < found.length;) {
    const { block } = found[next] as Span;
    const old = blocks[block] as StoreBlock;
    const first = next;
    while (found[next]?.block === block) next++;
    const now = changedBlock(old, found.slice(first, next), change, modSeq);
    blocks[block] = now;
    unseen += now.unseen - old.unseen;
    deleted += now.deleted - old.deleted;
  }
  return {
    ...mailbox,
    blocks,
    unseen,
    deleted,
    flagNames,
    highestModSeq: Math.max(mailbox.highestModSeq, modSeq) as ModSeq,
  };
}

function changedBlock(
  old: StoreBlock,
  found: readonly Span[],
  change: FlagChange,
  modSeq: ModSeq,
): StoreBlock {
  const [first] = found as [Span];
  if (first.end - first.from === old.length) return old.changed(change, modSeq);
  const rows = withOwnFlags(old.columns);
  for (const { from, end } of found) changeFlags(rows, from, end, change, modSeq);
  return blockOf(rows);
}

/** How many expunges a mailbox remembers for QRESYNC (RFC 7162 section 3.2.5.2), counted in ranges of uids. */
export const VANISHED_RANGES = 16_384;
/** And for how long: who was away for a quarter of a year is told of all messages again. */
export const VANISHED_MS = 90 * 86_400_000;

/** How much of what vanished a mailbox remembers. */
export interface Remembering {
  /** Ranges of uids. */
  readonly vanishedRanges: number;
  readonly vanishedMs: number;
}

export function withoutRows(
  mailbox: MailboxState,
  uids: UidRanges,
  modSeq: ModSeq,
  at: number,
  rules: Remembering,
): MailboxState {
  const gone = spans(mailbox.blocks, uids);
  let { unseen, deleted, octets, messages } = mailbox;
  for (const { block, from, end } of gone) {
    const { flagsLow, size } = mailbox.blocks[block] as StoreBlock;
    messages -= end - from;
    for (let i = from; i < end; i++) {
      const flags = flagsLow[i] as number;
      if (!(flags & flagBit.seen)) unseen--;
      if (flags & flagBit.deleted) deleted--;
      octets -= size[i] as number;
    }
  }
  return {
    ...mailbox,
    ...remember(mailbox, { at, modSeq, uids }, rules),
    blocks: removeRows(mailbox.blocks, gone),
    messages,
    unseen,
    deleted,
    octets,
    highestModSeq: Math.max(mailbox.highestModSeq, modSeq) as ModSeq,
  };
}

function remember(
  mailbox: MailboxState,
  entry: Vanished,
  { vanishedRanges: keepRanges, vanishedMs }: Remembering,
): Pick<MailboxState, 'vanished' | 'vanishedRanges' | 'vanishedFrom'> {
  const vanished = [...mailbox.vanished, entry];
  let vanishedRanges = mailbox.vanishedRanges + entry.uids.length;
  let { vanishedFrom } = mailbox;
  // Half of them go at once, so that this is not done again at the next expunge.
  const most = vanishedRanges > keepRanges ? keepRanges / 2 : Infinity;
  let drop = 0;
  while (drop < vanished.length) {
    const oldest = vanished[drop] as Vanished;
    if (vanishedRanges <= most && entry.at - oldest.at <= vanishedMs) break;
    drop++;
    vanishedRanges -= oldest.uids.length;
    vanishedFrom = oldest.modSeq;
  }
  if (drop === 0) return { vanished, vanishedRanges, vanishedFrom };
  return { vanished: vanished.slice(drop), vanishedRanges, vanishedFrom };
}

const infos = new WeakMap<MailboxState, MailboxInfo>();

/** The same object as long as nothing has changed: protocols ask for all mailboxes to find one by its name. */
export function infoOf(mailbox: MailboxState): MailboxInfo {
  let info = infos.get(mailbox);
  if (!info) {
    const { specialUse } = mailbox;
    info = Object.freeze({
      id: mailbox.id,
      account: mailbox.account,
      name: mailbox.name,
      ...(specialUse === undefined ? {} : { specialUse }),
      subscribed: mailbox.subscribed,
      uidValidity: mailbox.uidValidity,
      uidNext: mailbox.uidNext,
      highestModSeq: mailbox.highestModSeq,
      messages: mailbox.messages,
      unseen: mailbox.unseen,
      deleted: mailbox.deleted,
      octets: mailbox.octets,
      limits: mailbox.limits,
      acl: mailbox.acl,
    });
    infos.set(mailbox, info);
  }
  return info;
}

const snapshots = new WeakMap<MailboxState, MailboxSnapshot>();

/** The same object as long as nothing has changed. */
export function snapshotOf(mailbox: MailboxState): MailboxSnapshot {
  let snapshot = snapshots.get(mailbox);
  if (!snapshot) {
    snapshot = Object.freeze({
      mailbox: mailbox.id,
      account: mailbox.account,
      uidValidity: mailbox.uidValidity,
      uidNext: mailbox.uidNext,
      highestModSeq: mailbox.highestModSeq,
      vanishedFrom: mailbox.vanishedFrom,
      messages: mailbox.messages,
      flagNames: mailbox.flagNames,
      blocks: mailbox.blocks,
    });
    snapshots.set(mailbox, snapshot);
  }
  return snapshot;
}

/** Uids that vanished after `since`. */
export function vanishedSince(mailbox: MailboxState, since: ModSeq): UidRanges[] {
  const { vanished } = mailbox;
  let low = 0;
  let high = vanished.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((vanished[middle] as Vanished).modSeq <= since) low = middle + 1;
    else high = middle;
  }
  return vanished.slice(low).map(({ uids }) => uids);
}
