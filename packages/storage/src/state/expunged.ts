/**
 * Expunged messages stay for a while in a hidden mailbox, one for each mailbox, from where they can be brought back. Their
 * `saveDate` says when they were expunged. It survives its mailbox, counts for no quota and is in no list of mailboxes.
 */
import {
  expungedMailboxOf,
  isExpungedMailbox,
  isMailError,
  lowerBound,
  type ExpungedInfo,
  type MailboxId,
  type ModSeq,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import { spans } from './blocks.ts';
import { copyRows, emptyRows, type Rows } from './columns.ts';
import { mapFlags } from './flag-bits.ts';
import { emptyMailbox, withRows, type MailboxState } from './mailbox.ts';
import type { Cell, World } from './world.ts';

/**
 * Seven days. It is for what left Trash too, or never was there: Dovecot's manual keeps lazily expunged mail so long, Fastmail
 * restores what was deleted in the last week. Longer, and people who delete for good would be surprised how much is still there.
 */
export const UNDELETE_MS = 7 * 86_400_000;

/** Open snapshots may be read for so long after an expunge. */
export const LEAST_MS = 600_000;

/** @throws TypeError if it is less than what open snapshots need */
export function checkUndeleteMs(ms: number = UNDELETE_MS): number {
  if (ms >= LEAST_MS) return ms;
  throw new TypeError('undeleteMs is at least 600,000: open snapshots may be read for so long');
}

/** The hidden mailbox with the messages that `uids` name of its mailbox, which is still as it was before. */
export function withExpunged(
  before: MailboxState | undefined,
  source: MailboxState,
  uids: UidRanges,
  at: number,
  modSeq: ModSeq,
): MailboxState | undefined {
  const found = spans(source.blocks, uids);
  const count = found.reduce((sum, { from, end }) => sum + end - from, 0);
  if (count === 0) return before;
  const hidden = before ?? newHidden(source);
  const rows = emptyRows(count, source.blocks[0]?.held !== undefined);
  let row = 0;
  for (const { block, from, end } of found) {
    copyRows(rows, row, (source.blocks[block] as StoreBlock).columns, from, end);
    row += end - from;
  }
  for (let i = 0; i < count; i++) rows.uid[i] = hidden.uidNext + i;
  rows.saveDate.fill(at);
  rows.modSeq.fill(modSeq);
  const names = flagNamesFor(hidden, source, rows);
  return { ...withRows(hidden, rows, names, modSeq), name: source.name };
}

function newHidden(source: MailboxState): MailboxState {
  const { name, account, uidValidity, highestModSeq } = source;
  const properties = { name, subscribed: false, acl: [], metadata: [], limits: {} };
  const id = expungedMailboxOf(source.id);
  return emptyMailbox(id, account, uidValidity, highestModSeq, properties);
}

/** Names of flags of a mailbox are only ever added to, so the bits are the same: unless another mailbox had its id before. */
function flagNamesFor(hidden: MailboxState, source: MailboxState, rows: Rows): readonly string[] {
  if (hidden.flagNames.every((name, bit) => source.flagNames[bit] === name)) {
    return source.flagNames;
  }
  try {
    return mapFlags(source.flagNames, hidden.flagNames, rows);
  } catch (error) {
    if (!isMailError(error, 'LIMIT')) throw error;
    // What has been decided cannot fail any more: rather without keywords than not at all.
    for (let i = 0; i < rows.uid.length; i++) {
      rows.flagsLow[i] = (rows.flagsLow[i] as number) & 31;
      rows.flagsHigh[i] = 0;
    }
    return hidden.flagNames;
  }
}

/** Uids of what was expunged before `time`. They are in the order of time, but for a clock that was set back. */
export function expungedBefore({ blocks }: MailboxState, time: number): UidRanges {
  const first = blocks[0];
  if (!first) return [];
  let last = 0;
  for (const block of blocks) {
    const end = lowerBound(block.saveDate, time);
    if (end > 0) last = end === block.uid.length ? block.lastUid : (block.uid[end - 1] as number);
    if (end < block.uid.length) break;
  }
  return last === 0 ? [] : [[1 as Uid, last as Uid]];
}

/** Hidden mailboxes that hold something, by name. */
export function expungedOf(world: World, account: MailboxState['account']): ExpungedInfo[] {
  const infos: ExpungedInfo[] = [];
  for (const id of world.hidden) {
    const hidden = world.mailboxes.get(id)?.durable;
    if (hidden?.account !== account || hidden.messages === 0) continue;
    const mailbox = id.slice(1) as MailboxId;
    const { name, messages, octets } = hidden;
    const there = world.mailboxes.get(mailbox)?.durable !== undefined;
    infos.push({ id, mailbox, account, name, there, messages, octets });
  }
  return infos.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Keeps `world.hidden` when a commit is published. */
export function noteHidden(world: World, id: MailboxId, cell: Cell<MailboxState>): void {
  if (!isExpungedMailbox(id)) return;
  if (cell.head ?? cell.durable) world.hidden.add(id);
  else world.hidden.delete(id);
}
