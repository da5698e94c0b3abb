/**
 * The state out of the journal, without an index: the newest folds, then what changed after them, by way of the lists of
 * segments. No body is read, and of dead changes nothing but that they were there.
 */
import { isExpungedMailbox, type AccountId, type MailboxId } from '@mail-server-kit/core';
import { apply, newAccount, repeatOwner, type Delta, type Rules } from '../../state/delta.ts';
import type { MailboxState } from '../../state/mailbox.ts';
import { REMEMBERED_MS, type Repeats } from '../../state/repeats.ts';
import { Draft, World, type AccountState } from '../../state/world.ts';
import { COMMIT, RECORD_HEADER, SEGMENT_HEADER, aligned } from '../layout.js';
import { absolute } from '../medium.ts';
import { unpackCommit } from '../pack-commit.ts';
import { Unpacker } from '../pack.ts';
import { SegmentReader, type Position } from '../scan.ts';
import { damaged, openSegment, type Segment } from '../segments.ts';
import { Folds, type Fold } from './folds.ts';
import { mailboxItem, type Item } from './items.ts';
import { readListed, type ListedCommit, type SegmentList } from './list.ts';
import { findList, listOf, readFoldPart, type Journaled } from './lists.ts';

/** Everything that is sealed and listed. */
interface Sealed {
  readonly lists: readonly SegmentList[];
  readonly folds: Folds;
}

/**
 * Up to the last segment that has a list. Later ones are not in it: the position says where they begin.
 * @throws MailError CORRUPTION
 */
function readSealed(
  journaled: Journaled,
  segments: ReadonlyMap<number, Segment>,
  end = Infinity,
): Sealed {
  const last = lastListed(journaled, segments);
  const lists: SegmentList[] = [];
  const folds = new Folds((part) => readFoldPart(journaled, part));
  for (const [number, segment] of segments) {
    if (number > last) break;
    const before = lists.at(-1);
    const list = listOf(journaled, number, segment, before ? before.last + 1 : 1);
    if (list.first !== (before?.last ?? 0) + 1) throw damaged(number, SEGMENT_HEADER);
    lists.push(list);
    for (const fold of list.folds) if (fold.asOf <= end) folds.add({ ...fold, segment: number });
  }
  return { lists, folds };
}

/** What was compacted may stand on folds in segments that have lost their lists. */
function lastListed(journaled: Journaled, segments: ReadonlyMap<number, Segment>): number {
  let last = 0;
  for (const [number, segment] of segments) {
    if (segment.compacted) {
      const file = openSegment(journaled.disk, number);
      last = Math.max(last, number, file.kept?.needs ?? 0);
      file.close();
    } else if (number > last && findList(journaled, number, segment)) last = number;
  }
  return last;
}

/** Fills an empty world. Returns where to go on; undefined: nothing is sealed, begin at the beginning. */
export function rebuild(
  journaled: Journaled,
  segments: ReadonlyMap<number, Segment>,
  { world, repeats }: { readonly world: World; readonly repeats: Repeats },
  rules: Rules,
  now: number,
): Position | undefined {
  const { lists, folds } = readSealed(journaled, segments);
  const end = lists.at(-1);
  if (!end) return undefined;
  for (const fold of folds.all()) {
    if (folds.isCurrent(fold.parts[0] as Fold['parts'][0])) takeFold(folds, fold, world, rules);
  }
  for (const list of lists) {
    const file = openSegment(journaled.disk, list.segment);
    try {
      const read = (into: Uint8Array, offset: number) => file.read(into, offset);
      for (const listed of list.commits) {
        const wanted = isWanted(list, listed, folds);
        // Results are asked for within an hour.
        const remembered = listed.hasId && now - listed.at <= REMEMBERED_MS;
        if (!wanted && !remembered) continue;
        const { at, id, results, deltas } = readListed(read, list.segment, listed, journaled.vault);
        const { lsn } = listed;
        if (id !== undefined) {
          repeats.add({ id, at, lsn, results, account: repeatOwner(deltas) }, at);
        }
        if (wanted) takeChanges(world, folds.alive(deltas, listed.lsn), rules, at);
      }
    } finally {
      file.close();
    }
  }
  repeats.forget(settle(world));
  return { segment: end.segment + 1, offset: SEGMENT_HEADER, lsn: end.last };
}

const isWanted = ({ items }: SegmentList, { lsn, about }: ListedCommit, folds: Folds) =>
  about.some(([item]) => !folds.isDead(items[item] as Item, lsn));

function takeFold(folds: Folds, { item, parts }: Fold, world: World, rules: Rules): void {
  for (const part of parts) takeChanges(world, folds.read(part), rules, 0, item.account);
}

function takeChanges(
  world: World,
  deltas: readonly Delta[],
  rules: Rules,
  at: number,
  owner: AccountId | '' = '',
): void {
  const draft = new Draft(world);
  // Its account may be made by a later change.
  if (owner !== '' && !draft.account(owner)) draft.setAccount(newAccount(owner));
  for (const delta of deltas) {
    // Its end may be alive for the account alone.
    if (delta.kind === 'mailboxGone' && !draft.mailbox(delta.mailbox)) continue;
    apply(draft, delta, rules, at);
  }
  draft.publish()();
}

/** Returns the accounts that are destroyed. What accounts know of their mailboxes comes from these: changes of both were left out independently. */
function settle(world: World): AccountId[] {
  const accounts = new Map<
    AccountId,
    { -readonly [Name in keyof AccountState]: AccountState[Name] }
  >();
  for (const [id, { durable }] of world.accounts) {
    if (durable) accounts.set(id, { ...durable, mailboxes: new Map(), messages: 0, octets: 0 });
  }
  for (const [id, { durable: mailbox }] of [...world.mailboxes]) {
    const account = mailbox && accounts.get(mailbox.account);
    if (!account || account.destroyed) {
      world.mailboxes.delete(id);
      world.dirty?.mailboxes.delete(id);
      world.hidden.delete(id);
      world.shared.delete(id);
    } else if (!isExpungedMailbox(id)) {
      (account.mailboxes as Map<string, MailboxId>).set(mailbox.name, id);
      account.messages += mailbox.messages;
      account.octets += mailbox.octets;
      if (mailbox.highestModSeq > account.modSeq) account.modSeq = mailbox.highestModSeq;
    }
  }
  for (const { cells } of world.spaces.values()) {
    for (const { durable: record } of cells.values()) {
      const account = record?.account === undefined ? undefined : accounts.get(record.account);
      if (account && record && !account.destroyed) account.octets += record.octets;
    }
  }
  for (const [id, account] of accounts) {
    world.accounts.set(id, { head: account, durable: account });
    world.dirty?.accounts.set(id, account);
  }
  return [...accounts.values()].flatMap(({ id, destroyed }) => (destroyed ? [id] : []));
}

export interface MailboxAt {
  readonly id: MailboxId;
  /** Of the last record that counts, which is on disk. */
  readonly lsn: number;
  readonly rules: Rules;
}

/**
 * One mailbox as it was at a moment, from its fold and the changes after it: for who has found its table in the index
 * damaged. What was compacted may stand on later folds, so the caller has to compare checksums. Undefined: it was not there.
 * @throws MailError CORRUPTION
 */
export function rebuildMailbox(
  journaled: Journaled,
  segments: ReadonlyMap<number, Segment>,
  { id, lsn, rules }: MailboxAt,
): MailboxState | undefined {
  const { lists, folds } = readSealed(journaled, segments, lsn);
  const world = new World();
  const { key } = mailboxItem(id, '');
  const fold = folds.get(key);
  if (fold && folds.isCurrent(fold.parts[0] as Fold['parts'][0])) {
    takeFold(folds, fold, world, rules);
  }
  const take = (deltas: readonly Delta[], at: number) => {
    for (const delta of deltas) {
      if (!('mailbox' in delta) || delta.kind === 'counters') continue;
      const account = delta.account as AccountId;
      const item = mailboxItem(delta.mailbox, account);
      if (item.key === key) takeChanges(world, [delta], rules, at, account);
    }
  };
  for (const list of lists) {
    const index = list.items.findIndex((item) => item.key === key);
    const item = list.items[index];
    if (!item) continue;
    const file = openSegment(journaled.disk, list.segment);
    try {
      for (const listed of list.commits) {
        if (listed.lsn > lsn || folds.isDead(item, listed.lsn)) continue;
        if (!listed.about.some(([each]) => each === index)) continue;
        const read = (into: Uint8Array, at: number) => file.read(into, at);
        const { at, deltas } = readListed(read, list.segment, listed, journaled.vault);
        take(deltas, at);
      }
    } finally {
      file.close();
    }
  }
  for (const { at, deltas } of commitsAfter(journaled, segments, lists.at(-1), lsn)) {
    take(deltas, at);
  }
  return world.mailboxes.get(id)?.durable;
}

/** Those in segments that have no list yet, up to an LSN that is known to be there. */
function* commitsAfter(
  { disk, seed, vault }: Journaled,
  segments: ReadonlyMap<number, Segment>,
  last: SegmentList | undefined,
  end: number,
): Generator<{ readonly at: number; readonly deltas: readonly Delta[] }> {
  let lsn = (last?.last ?? 0) + 1;
  for (const [number, { octets }] of segments) {
    if (last && number <= last.segment) continue;
    const reader = new SegmentReader(disk, number, octets);
    try {
      for (let at = SEGMENT_HEADER; lsn <= end; lsn++) {
        const record = reader.record(at, lsn, seed);
        if (typeof record === 'string') break;
        const { header, bytes, place } = record;
        at = aligned(at + bytes.length);
        if (header.type !== COMMIT) continue;
        const from = new Unpacker(bytes, RECORD_HEADER + header.bodies);
        const commit = unpackCommit(from, header.version, vault);
        yield { at: commit.at, deltas: absolute(commit.deltas, place) };
      }
    } finally {
      reader.close();
    }
  }
}
