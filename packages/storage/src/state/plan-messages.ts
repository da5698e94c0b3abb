/** Writes that concern messages: append, store, copy, move, expunge, replace. */
import {
  MAX_UID,
  MailError,
  ascending,
  flagBit,
  intersect,
  isExpungedMailbox,
  subtract,
  type AccountId,
  type EmailId,
  type MailboxId,
  type ModSeq,
  type NewMessage,
  type Uid,
  type UidRanges,
  type WriteResult,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import { spans, type Span } from './blocks.ts';
import { copyRows, emptyRow, emptyRows, type Rows } from './columns.ts';
import { LEAST_MS, expungedBefore } from './expunged.ts';
import { flagBits, mapFlags, type Bits } from './flag-bits.ts';
import { changesRows, isChanged, type FlagChange } from './flag-change.ts';
import type { MailboxState } from './mailbox.ts';
import { emailIdOf, emailNumber } from './names.ts';
import type { Planning, WriteOf } from './plan.ts';

/** A column of 32 bits holds the size, and RFC822.SIZE of IMAP4rev1 had no more. */
const MAX_OCTETS = 0xffff_ffff;

export function append(planning: Planning, write: WriteOf<'append'>): WriteResult {
  const mailbox = planning.visible(write.mailbox);
  return add(planning, mailbox, write);
}

/** Appends; `replaced`: the message that goes in the same write, of the size it has. */
function add(
  planning: Planning,
  mailbox: MailboxState,
  message: NewMessage,
  replaced?: { readonly mailbox: MailboxState; readonly size: number },
): WriteResult {
  const { size, pieces } = planning.content(message.content);
  const { limits } = planning.account(mailbox.account);
  if (size > Math.min(limits.messageOctets ?? MAX_OCTETS, MAX_OCTETS)) {
    throw new MailError('TOOBIG', 'Message too big');
  }
  const more = { octets: size, messages: 1 };
  const instead = { octets: size - (replaced?.size ?? 0), messages: 0 };
  const { account, id } = replaced?.mailbox ?? {};
  planning.charge(mailbox.account, account === mailbox.account ? instead : more);
  planning.chargeMailbox(mailbox, id === mailbox.id ? instead : more);
  const uid = uidsFor(mailbox, 1);
  const flags = flagBits(mailbox.flagNames, message.flags);
  const modSeq = planning.nextModSeq(mailbox.account);
  const emailId = message.emailId ?? nextEmailId(planning);
  if (message.emailId !== undefined) passEmailId(planning, message.emailId);
  const { facts } = message;
  const kept = planning.keep({ emailId, facts, size, pieces }, mailbox.account);
  const rows = emptyRow(planning.materials.holds);
  rows.uid[0] = uid;
  rows.flagsLow[0] = flags.low;
  rows.flagsHigh[0] = flags.high;
  rows.size[0] = size;
  rows.modSeq[0] = modSeq;
  rows.internalDate[0] = message.internalDate;
  rows.internalZone[0] = message.internalZone ?? 0;
  rows.saveDate[0] = message.saveDate ?? planning.now;
  rows.email[0] = emailNumber(emailId);
  rows.place[0] = kept.place;
  rows.placeOctets[0] = kept.octets;
  if (rows.held) rows.held[0] = kept.held;
  planning.emit({ kind: 'rows', ...inside(mailbox), modSeq, flagNames: flags.names, rows });
  return { modSeq, mailbox: mailbox.id, uidValidity: mailbox.uidValidity, uid, emailId };
}

const inside = ({ id, account }: MailboxState) => ({ mailbox: id, account });

function nextEmailId(planning: Planning): EmailId {
  const email = planning.draft.counters.email + 1;
  planning.draft.counters = { ...planning.draft.counters, email };
  return emailIdOf(email);
}

/** The store never gives an id that was given to it. */
function passEmailId(planning: Planning, id: EmailId): void {
  const number = emailNumber(id);
  if (number <= planning.draft.counters.email) return;
  planning.draft.counters = { ...planning.draft.counters, email: number };
}

/** The first of `count` new uids. @throws MailError LIMIT if there are no more */
function uidsFor(mailbox: MailboxState, count: number): Uid {
  // UIDNEXT itself has to stay a number of 32 bits.
  if (mailbox.uidNext + count > MAX_UID) {
    throw new MailError('LIMIT', 'The mailbox has used up its uids');
  }
  return mailbox.uidNext;
}

export function store(planning: Planning, write: WriteOf<'store'>): WriteResult {
  const mailbox = planning.visible(write.mailbox);
  const found = spans(mailbox.blocks, write.uids);
  if (found.length === 0) return {};
  const add = flagBits(mailbox.flagNames, write.set ?? write.add ?? []);
  const change = flagChange(mailbox, write, add);
  const { conflicts, uids } = changedRows(mailbox, found, change, write.unchangedSince);
  const result = conflicts.length > 0 ? { conflicts } : {};
  if (uids.length === 0) return result;
  const modSeq = planning.nextModSeq(mailbox.account);
  const flagNames = add.names;
  planning.emit({ kind: 'flags', ...inside(mailbox), modSeq, flagNames, uids, change });
  return { ...result, modSeq };
}

/** `add`: bits of the flags that are added or set. */
export function flagChange(mailbox: MailboxState, write: WriteOf<'store'>, add: Bits): FlagChange {
  const remove = flagBits(mailbox.flagNames, write.remove ?? [], 'known');
  return {
    clearLow: write.set ? 0xffff_ffff : remove.low,
    clearHigh: write.set ? 0xffff_ffff : remove.high,
    setLow: add.low,
    setHigh: add.high,
  };
}

/** Which rows change, and which have been changed by somebody else meanwhile. Looks at columns only of blocks that do not say. */
function changedRows(
  mailbox: MailboxState,
  found: readonly Span[],
  change: FlagChange,
  unchangedSince: ModSeq | undefined,
): { readonly uids: UidRanges; readonly conflicts: UidRanges } {
  // Nothing in it has a higher one.
  const since = unchangedSince !== undefined && unchangedSince < mailbox.highestModSeq;
  const conflicts: number[] = [];
  const uids: [Uid, Uid][] = [];
  // Nobody has the uids between two neighbours, so that a range may go over them.
  let before: [Uid, Uid] | undefined;
  let next = -1;
  const put = (first: Uid, last: Uid) => {
    if (before) before[1] = last;
    else uids.push((before = [first, last]));
  };
  for (const { block: index, from, end } of found) {
    const block = mailbox.blocks[index] as StoreBlock;
    const { length } = block;
    if (index !== next || from > 0) before = undefined;
    next = end === length ? index + 1 : -1;
    const changes = since ? 'some' : changesRows(block, change);
    if (changes === 'none') before = undefined;
    if (changes === 'all') {
      const first = from === 0 ? block.firstUid : (block.uid[from] as Uid);
      put(first, end === length ? block.lastUid : (block.uid[end - 1] as Uid));
    }
    if (changes !== 'some') continue;
    const { uid, flagsLow, flagsHigh, modSeq } = block.columns;
    for (let i = from; i < end; i++) {
      const one = uid[i] as Uid;
      if (since && (modSeq[i] as number) > unchangedSince) conflicts.push(one);
      else if (isChanged(flagsLow[i] as number, flagsHigh[i] as number, change)) {
        put(one, one);
        continue;
      }
      before = undefined;
    }
  }
  return { uids, conflicts: ascending(conflicts) };
}

export function copy(planning: Planning, write: WriteOf<'copy' | 'move'>): WriteResult {
  const source = planning.visible(write.mailbox);
  const target = planning.visible(write.to);
  return transfer(planning, source, target, write.uids, write.op === 'move');
}

export function transfer(
  planning: Planning,
  source: MailboxState,
  target: MailboxState,
  uids: UidRanges,
  move: boolean,
): WriteResult {
  const found = spans(source.blocks, uids);
  const count = found.reduce((sum, { from, end }) => sum + end - from, 0);
  if (count === 0) return {};
  const more = { messages: count, octets: octetsOf(source, found) };
  const hidden = isExpungedMailbox(source.id);
  // Expunged messages were not counted any more.
  if (!move || hidden || source.account !== target.account) planning.charge(target.account, more);
  if (!move || source.id !== target.id) planning.chargeMailbox(target, more);
  const first = uidsFor(target, count);
  const modSeq = planning.nextModSeq(target.account);
  const { rows, from } = gather(source, found, count, planning.materials.holds);
  if (planning.materials.sealed && source.account !== target.account) {
    keepAgain(planning, source, found, rows, target.account);
  }
  const flagNames = mapFlags(source.flagNames, target.flagNames, rows);
  for (let i = 0; i < count; i++) rows.uid[i] = first + i;
  rows.modSeq.fill(modSeq);
  rows.saveDate.fill(planning.now);
  // Or the next EXPUNGE would take away what was brought back.
  if (hidden) {
    for (let i = 0; i < count; i++)
      rows.flagsLow[i] = (rows.flagsLow[i] as number) & ~flagBit.deleted;
  }
  planning.emit({ kind: 'rows', ...inside(target), modSeq, flagNames, rows });
  const to: UidRanges = [[first, (first + count - 1) as Uid]];
  const { uidValidity } = target;
  const result = { mailbox: target.id, uidValidity, copies: { from, to } };
  if (!move) return { ...result, modSeq };
  if (hidden) {
    planning.emit({ kind: 'expunge', ...inside(source), modSeq: source.highestModSeq, uids: from });
    return { ...result, modSeq };
  }
  // One account counts on in the same step: the message leaves and arrives at once.
  const left = source.account === target.account ? modSeq : planning.nextModSeq(source.account);
  planning.emit({ kind: 'expunge', ...inside(source), modSeq: left, uids: from });
  return { ...result, modSeq: left, expunged: from };
}

function octetsOf(mailbox: MailboxState, found: readonly Span[]): number {
  let octets = 0;
  for (const { block, from, end } of found) {
    const { size } = mailbox.blocks[block] as StoreBlock;
    for (let i = from; i < end; i++) octets += size[i] as number;
  }
  return octets;
}

/** Copies of rows, and the uids that they had. */
function gather(
  mailbox: MailboxState,
  found: readonly Span[],
  count: number,
  held: boolean,
): { rows: Rows; from: UidRanges } {
  const rows = emptyRows(count, held);
  let at = 0;
  for (const { block, from, end } of found) {
    copyRows(rows, at, (mailbox.blocks[block] as StoreBlock).columns, from, end);
    at += end - from;
  }
  return { rows, from: ascending(rows.uid) };
}

/** So that the messages stay when the account that they come from is destroyed with its key. */
function keepAgain(
  planning: Planning,
  source: MailboxState,
  found: readonly Span[],
  rows: Rows,
  account: AccountId,
): void {
  let at = 0;
  for (const { block, from, end } of found) {
    for (let i = from; i < end; i++) {
      const message = planning.materials.message(source.blocks[block] as StoreBlock, i);
      const kept = planning.keep(message, account);
      rows.place[at] = kept.place;
      rows.placeOctets[at] = kept.octets;
      at++;
    }
  }
}

export function expunge(planning: Planning, write: WriteOf<'expunge'>): WriteResult {
  const mailbox = planning.mailbox(write.mailbox);
  const gone: number[] = [];
  for (const { block, from, end } of spans(mailbox.blocks, write.uids)) {
    const rows = mailbox.blocks[block] as StoreBlock;
    if (write.onlyDeleted && rows.deleted === 0) continue;
    const { uid, flagsLow } = rows.columns;
    for (let i = from; i < end; i++) {
      if (write.onlyDeleted && !((flagsLow[i] as number) & flagBit.deleted)) continue;
      gone.push(uid[i] as number);
    }
  }
  const expunged = ascending(gone);
  if (gone.length === 0) return { expunged };
  if (isExpungedMailbox(mailbox.id)) return removeForGood(planning, mailbox, expunged);
  const modSeq = planning.nextModSeq(mailbox.account);
  expungeRows(planning, mailbox, expunged, modSeq);
  return { expunged, modSeq };
}

/** What nobody has ever seen need not be brought back. */
function expungeRows(
  planning: Planning,
  mailbox: MailboxState,
  uids: UidRanges,
  modSeq: ModSeq,
): void {
  const fresh = newOnes(planning, mailbox, uids);
  const change = { kind: 'expunge' as const, ...inside(mailbox), modSeq };
  if (fresh.length > 0) planning.emit({ ...change, uids: fresh });
  const seen = fresh.length > 0 ? subtract(uids, fresh) : uids;
  if (seen.length > 0) planning.emit({ ...change, uids: seen, kept: planning.now });
}

function newOnes(planning: Planning, { blocks }: MailboxState, uids: UidRanges): UidRanges {
  const found: number[] = [];
  for (const { block: index, from, end } of spans(blocks, uids)) {
    const block = blocks[index] as StoreBlock;
    for (let i = from; i < end; i++) {
      if (planning.isNew(block, i)) found.push(block.uid[i] as number);
    }
  }
  return ascending(found);
}

/** Before a mailbox is deleted: what came with the same commit is not kept with the rest. */
export function dropNew(planning: Planning, mailbox: MailboxState, modSeq: ModSeq): void {
  const uids = newOnes(planning, mailbox, [[1 as Uid, mailbox.uidNext]]);
  if (uids.length > 0) planning.emit({ kind: 'expunge', ...inside(mailbox), modSeq, uids });
}

/** Open snapshots may still be read, so what was expunged a moment ago stays. */
function removeForGood(planning: Planning, hidden: MailboxState, uids: UidRanges): WriteResult {
  const expunged = intersect(uids, expungedBefore(hidden, planning.now - LEAST_MS));
  if (expunged.length === 0) return { expunged };
  const modSeq = hidden.highestModSeq;
  planning.emit({ kind: 'expunge', ...inside(hidden), modSeq, uids: expunged });
  return { expunged };
}

export function undelete(planning: Planning, write: WriteOf<'undelete'>): WriteResult {
  if (!isExpungedMailbox(write.mailbox)) {
    throw new MailError('CANNOT', 'Only expunged messages can be brought back');
  }
  const source = planning.mailbox(write.mailbox);
  const target = planning.visible(write.to ?? (write.mailbox.slice(1) as MailboxId));
  return transfer(planning, source, target, write.uids, true);
}

export function replace(planning: Planning, write: WriteOf<'replace'>): WriteResult {
  const source = planning.visible(write.mailbox);
  const target = planning.visible(write.to);
  const uids: UidRanges = [[write.uid, write.uid]];
  const [found] = spans(source.blocks, uids);
  if (!found) throw new MailError('NONEXISTENT', 'No such message');
  const size = (source.blocks[found.block] as StoreBlock).size[found.from] as number;
  // The new one first: its content may quote the old one, and the quota counts the difference.
  const result = add(planning, target, write, { mailbox: source, size });
  const modSeq = planning.nextModSeq(source.account);
  expungeRows(planning, source, uids, modSeq);
  return { ...result, modSeq, expunged: uids };
}

export function expect(planning: Planning, write: WriteOf<'expectMailbox'>): WriteResult {
  const { highestModSeq } = planning.mailbox(write.mailbox);
  if (highestModSeq > write.modSeq) {
    throw new MailError('CONFLICT', 'The mailbox has changed meanwhile');
  }
  return { modSeq: highestModSeq };
}
