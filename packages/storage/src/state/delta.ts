/**
 * What a commit comes down to: everything decided, nothing left to choose. A replay of the journal applies these and never
 * plans again, so it cannot come out differently.
 */
import { expungedMailboxOf, isExpungedMailbox, lowerBound } from '@mail-server-kit/core';
import type {
  AccountId,
  Limits,
  MailboxId,
  ModSeq,
  Uid,
  UidRanges,
  UidValidity,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import { blockFor } from './blocks.ts';
import { locateRow, type Rows } from './columns.ts';
import { withExpunged } from './expunged.ts';
import type { FlagChange } from './flag-change.ts';
import { emptyMailbox, withFlags, withRows, withoutRows } from './mailbox.ts';
import type { Properties, Remembering, Vanished } from './mailbox.ts';
import {
  goneRecord,
  rememberGone,
  type AccountState,
  type Draft,
  type RecordState,
} from './world.ts';

/** The account is named too: whoever reads old changes cannot look it up any more. */
interface In {
  readonly mailbox: MailboxId;
  readonly account: AccountId;
}

export type Delta =
  /** A new account, or other limits. */
  | { readonly kind: 'account'; readonly account: AccountId; readonly limits: Partial<Limits> }
  | { readonly kind: 'accountGone'; readonly account: AccountId }
  | { readonly kind: 'names'; readonly account: AccountId; readonly names: readonly string[] }
  | ({
      readonly kind: 'mailbox';
      readonly uidValidity: UidValidity;
      readonly modSeq: ModSeq;
      readonly properties: Properties;
    } & In)
  | ({ readonly kind: 'properties'; readonly properties: Properties } & In)
  | ({ readonly kind: 'mailboxGone'; readonly modSeq: ModSeq; readonly kept?: number } & In)
  | ({
      readonly kind: 'rows';
      readonly modSeq: ModSeq;
      readonly flagNames: readonly string[];
      readonly rows: Rows;
    } & In)
  | ({
      readonly kind: 'flags';
      readonly modSeq: ModSeq;
      readonly flagNames: readonly string[];
      readonly uids: UidRanges;
      readonly change: FlagChange;
    } & In)
  | ({
      readonly kind: 'expunge';
      readonly modSeq: ModSeq;
      readonly uids: UidRanges;
      /** They can be brought back: when it was, in ms since 1970. Undefined: they cannot. */
      readonly kept?: number;
    } & In)
  | {
      readonly kind: 'record';
      readonly space: string;
      readonly key: string;
      readonly record: RecordState;
    }
  | {
      readonly kind: 'recordGone';
      readonly space: string;
      readonly key: string;
      readonly version: number;
      readonly account?: AccountId;
    }
  /** New records of the space have higher versions: what a deleted one of a destroyed account leaves behind. */
  | { readonly kind: 'floor'; readonly space: string; readonly version: number }
  /** What changes do not say of a mailbox, for a fold. With several, each brings more of what vanished. */
  | ({
      readonly kind: 'mailboxState';
      readonly uidNext: Uid;
      readonly modSeq: ModSeq;
      readonly flagNames: readonly string[];
      readonly vanishedFrom: ModSeq;
      readonly vanished: readonly Vanished[];
    } & In)
  /** An account, for a fold. With several, each names more of its mailboxes; those that none names are gone. */
  | {
      readonly kind: 'accountState';
      readonly account: AccountId;
      readonly destroyed: boolean;
      readonly modSeq: ModSeq;
      readonly limits: Partial<Limits>;
      readonly names: readonly string[];
      readonly mailboxes: readonly MailboxId[];
    }
  /** Versions of deleted records, for a fold. */
  | {
      readonly kind: 'spaceState';
      readonly space: string;
      readonly floor: number;
      readonly gone: readonly (readonly [key: string, version: number])[];
    }
  | {
      readonly kind: 'counters';
      readonly uidValidity: number;
      readonly mailbox: number;
      readonly email: number;
    };

export type Rules = Remembering;

/** Of a hidden mailbox nobody wants to know what is no longer there. */
const forgetful: Rules = { vanishedRanges: 0, vanishedMs: 0 };

/** Accounts that are gone with these changes. */
export const goneWith = (deltas: readonly Delta[]): AccountId[] =>
  deltas.flatMap((delta) => (delta.kind === 'accountGone' ? [delta.account] : []));

/** Whom a change belongs to; '' is the store itself. That an account is gone has to be known also without its key. */
export function ownerOf(delta: Delta): AccountId | '' {
  switch (delta.kind) {
    case 'counters':
    case 'accountGone':
    case 'floor':
    case 'spaceState':
      return '';
    case 'accountState':
      return delta.destroyed ? '' : delta.account;
    case 'record':
      return delta.record.account ?? '';
    case 'recordGone':
      return delta.account ?? '';
    default:
      return delta.account;
  }
}

/** Whom id and results of a commit belong to: they tell of what it changed, but the end of an account has to outlive it. */
export function repeatOwner(deltas: readonly Delta[]): AccountId | '' {
  const first = deltas.find(({ kind }) => kind !== 'counters');
  return first && goneWith(deltas).length === 0 ? ownerOf(first) : '';
}

/** What `delta` was made for must be there: planned on the same state, it is. `at`: when its commit was made. */
export function apply(draft: Draft, delta: Delta, rules: Rules, at: number): void {
  switch (delta.kind) {
    case 'counters':
      draft.counters = {
        uidValidity: delta.uidValidity,
        mailbox: delta.mailbox,
        email: delta.email,
      };
      return;
    case 'account': {
      const known = draft.account(delta.account) ?? newAccount(delta.account);
      draft.setAccount({ ...known, limits: delta.limits });
      return;
    }
    case 'accountGone': {
      // Nothing of it may have been read: its key can be gone already.
      const account = draft.account(delta.account) ?? newAccount(delta.account);
      for (const id of account.mailboxes.values()) draft.setMailbox(id, undefined);
      for (const id of draft.hiddenOf(account.id)) draft.setMailbox(id, undefined);
      draft.setAccount({ ...newAccount(account.id), destroyed: true, modSeq: account.modSeq });
      return;
    }
    case 'names':
      draft.setAccount({ ...(draft.account(delta.account) as AccountState), names: delta.names });
      return;
    case 'mailbox': {
      const { mailbox: id, account, uidValidity, modSeq, properties } = delta;
      draft.setMailbox(id, emptyMailbox(id, account, uidValidity, modSeq, properties));
      if (isExpungedMailbox(id)) return;
      const owner = draft.account(account) as AccountState;
      const mailboxes = new Map(owner.mailboxes).set(properties.name, id);
      draft.setAccount({ ...owner, mailboxes, modSeq: later(owner.modSeq, modSeq) });
      return;
    }
    case 'mailboxGone': {
      const gone = mailboxOf(draft, delta.mailbox);
      if (delta.kept !== undefined) keep(draft, gone, everything, delta.kept, delta.modSeq);
      draft.setMailbox(gone.id, undefined);
      const owner = draft.account(gone.account) as AccountState;
      const mailboxes = new Map(owner.mailboxes);
      mailboxes.delete(gone.name);
      draft.setAccount({
        ...owner,
        mailboxes,
        modSeq: later(owner.modSeq, delta.modSeq),
        messages: owner.messages - gone.messages,
        octets: owner.octets - gone.octets,
      });
      return;
    }
    case 'properties': {
      const before = mailboxOf(draft, delta.mailbox);
      const { specialUse: _, ...rest } = before;
      draft.setMailbox(before.id, { ...rest, ...delta.properties });
      if (before.name === delta.properties.name) return;
      const owner = draft.account(before.account) as AccountState;
      const mailboxes = new Map(owner.mailboxes);
      // In a chain of renames the old name may already be somebody else's.
      if (mailboxes.get(before.name) === before.id) mailboxes.delete(before.name);
      mailboxes.set(delta.properties.name, before.id);
      draft.setAccount({ ...owner, mailboxes });
      return;
    }
    case 'rows': {
      const before = mailboxOf(draft, delta.mailbox);
      const after = withRows(before, delta.rows, delta.flagNames, delta.modSeq);
      if (isExpungedMailbox(after.id)) draft.setMailbox(after.id, after);
      else changeMessages(draft, before, after, delta.modSeq);
      return;
    }
    case 'flags': {
      const before = mailboxOf(draft, delta.mailbox);
      const { uids, change, flagNames, modSeq } = delta;
      changeMessages(draft, before, withFlags(before, uids, change, flagNames, modSeq), modSeq);
      return;
    }
    case 'expunge': {
      const before = mailboxOf(draft, delta.mailbox);
      const { uids, modSeq, kept } = delta;
      const hidden = isExpungedMailbox(before.id);
      const after = withoutRows(before, uids, modSeq, at, hidden ? forgetful : rules);
      if (kept !== undefined) keep(draft, before, uids, kept, modSeq);
      if (!hidden) changeMessages(draft, before, after, modSeq);
      else draft.setMailbox(after.id, isUseless(draft, after) ? undefined : after);
      return;
    }
    case 'record': {
      charge(draft, draft.record(delta.space, delta.key), -1);
      charge(draft, delta.record, 1);
      draft.setRecord(delta.space, delta.key, delta.record);
      return;
    }
    case 'mailboxState': {
      const before = mailboxOf(draft, delta.mailbox);
      const { uidNext, flagNames, vanishedFrom, modSeq: highestModSeq } = delta;
      const vanished = [...before.vanished, ...delta.vanished];
      const vanishedRanges = vanished.reduce((sum, { uids }) => sum + uids.length, 0);
      const state = { uidNext, flagNames, vanishedFrom, highestModSeq, vanished, vanishedRanges };
      draft.setMailbox(before.id, { ...before, ...state });
      return;
    }
    case 'accountState': {
      const { account, destroyed, modSeq, limits, names } = delta;
      const known = draft.account(account) ?? newAccount(account);
      draft.setAccount({ ...known, destroyed, limits, names, modSeq: later(known.modSeq, modSeq) });
      return;
    }
    case 'spaceState': {
      rememberGone(draft.world, delta.space, delta.floor, delta.gone);
      return;
    }
    case 'recordGone':
      charge(draft, draft.record(delta.space, delta.key), -1);
      draft.setRecord(delta.space, delta.key, goneRecord(delta.version, delta.account));
      return;
    case 'floor':
      draft.raiseFloor(delta.space, delta.version);
      return;
  }
}

/** Before they go. */
function keep(draft: Draft, source: Mailbox, uids: UidRanges, at: number, modSeq: ModSeq): void {
  const id = expungedMailboxOf(source.id);
  draft.setMailbox(id, withExpunged(draft.mailbox(id), source, uids, at, modSeq));
}

const everything: UidRanges = [[1 as Uid, 0xffff_ffff as Uid]];

/** Empty, and nothing can come any more. Before that it stays, so that its uids are not given again. */
const isUseless = (draft: Draft, { id, messages }: Mailbox): boolean =>
  messages === 0 && !draft.mailbox(id.slice(1) as MailboxId);

type Mailbox = NonNullable<ReturnType<Draft['mailbox']>>;

function mailboxOf(draft: Draft, id: MailboxId): Mailbox {
  const mailbox = draft.mailbox(id);
  if (!mailbox) throw new Error(`a change names a mailbox that is not there: ${id}`);
  return mailbox;
}

function changeMessages(draft: Draft, before: Mailbox, after: Mailbox, modSeq: ModSeq): void {
  draft.setMailbox(after.id, after);
  const owner = draft.account(after.account) as AccountState;
  draft.setAccount({
    ...owner,
    modSeq: later(owner.modSeq, modSeq),
    messages: owner.messages + after.messages - before.messages,
    octets: owner.octets + after.octets - before.octets,
  });
}

function charge(draft: Draft, record: RecordState | undefined, sign: 1 | -1): void {
  if (!record?.account || record.gone) return;
  const owner = draft.account(record.account);
  if (owner && !owner.destroyed) {
    draft.setAccount({ ...owner, octets: owner.octets + sign * record.octets });
  }
}

const later = (a: ModSeq, b: ModSeq) => Math.max(a, b) as ModSeq;

export const newAccount = (id: AccountId): AccountState => ({
  id,
  destroyed: false,
  modSeq: 0 as ModSeq,
  limits: {},
  mailboxes: new Map(),
  names: [],
  messages: 0,
  octets: 0,
});

/**
 * Carries the places of what a commit keeps, now that they are known, into the draft that was planned without them. Rows
 * that this commit appended lie in blocks that it made, so nobody else has seen them.
 */
export function locateKept(draft: Draft, deltas: readonly Delta[]): void {
  for (const delta of deltas) {
    if (delta.kind === 'rows') locateRows(draft.mailbox(delta.mailbox)?.blocks ?? [], delta.rows);
    else if (delta.kind === 'record') {
      const drafted = draft.record(delta.space, delta.key);
      if (drafted?.version === delta.record.version && !drafted.gone) {
        draft.setRecord(delta.space, delta.key, delta.record);
      }
    }
  }
}

function locateRows(blocks: readonly StoreBlock[], rows: Rows): void {
  for (let i = 0; i < rows.uid.length; i++) {
    const uid = rows.uid[i] as number;
    const block = blocks[blockFor(blocks, uid)];
    // A later write of the same commit may have expunged it.
    if (!block) continue;
    const row = uid === block.lastUid ? block.length - 1 : lowerBound(block.uid, uid);
    if (uid !== block.lastUid && block.uid[row] !== uid) continue;
    locateRow(block.columns, row, rows.place[i] as number, rows.placeOctets[i] as number);
  }
}
