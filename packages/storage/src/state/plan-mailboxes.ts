/** Writes that concern mailboxes and accounts. */
import {
  MailError,
  asId,
  expungedMailboxOf,
  type AccountId,
  type MailboxId,
  type Limits,
  type MailboxLimits,
  type Uid,
  type UidValidity,
  type WriteResult,
} from '@mail-server-kit/core';
import { compareKeys } from './keys.ts';
import type { MailboxState, Properties } from './mailbox.ts';
import { mailboxName } from './names.ts';
import { dropNew, transfer } from './plan-messages.ts';
import { erase } from './plan-records.ts';
import type { Planning, WriteOf } from './plan.ts';
import type { RecordState } from './world.ts';

/** Entries of ACL and METADATA of one mailbox, and octets of the latter's values. */
const MAX_ENTRIES = 1000;
const MAX_METADATA = 1_048_576;
const MAX_UIDVALIDITY = 0xffff_ffff;

export function create(planning: Planning, write: WriteOf<'createMailbox'>): WriteResult {
  const account = planning.account(write.account);
  const name = mailboxName(write.name);
  if (account.mailboxes.has(name)) throw new MailError('ALREADYEXISTS', 'Mailbox already exists');
  planning.charge(account.id, { mailboxes: 1 });
  const remembered = account.names.includes(name);
  return make(planning, account.id, {
    name,
    subscribed: write.subscribed ?? remembered,
    ...(write.specialUse === undefined ? {} : { specialUse: write.specialUse }),
    ...(write.mailboxId === undefined ? {} : { mailboxId: write.mailboxId }),
    ...(write.uidValidity === undefined ? {} : { uidValidity: write.uidValidity }),
  });
}

interface Wanted {
  readonly name: string;
  readonly subscribed: boolean;
  readonly specialUse?: string;
  readonly mailboxId?: MailboxId;
  readonly uidValidity?: UidValidity;
}

function make(planning: Planning, account: AccountId, wanted: Wanted): WriteResult {
  const { name, subscribed, specialUse } = wanted;
  const id =
    wanted.mailboxId === undefined
      ? nextMailboxId(planning)
      : givenId(planning, wanted.mailboxId, account);
  const uidValidity = nextUidValidity(planning, wanted.uidValidity);
  const modSeq = planning.nextModSeq(account);
  const properties: Properties = {
    ...{ name, subscribed, acl: [], metadata: [], limits: {} },
    ...(specialUse === undefined ? {} : { specialUse }),
  };
  forgetName(planning, account, name);
  planning.emit({ kind: 'mailbox', mailbox: id, account, uidValidity, modSeq, properties });
  return { mailbox: id, uidValidity, modSeq };
}

function nextMailboxId(planning: Planning): MailboxId {
  let { mailbox } = planning.draft.counters;
  do mailbox++;
  while (planning.draft.mailbox(`B${mailbox}` as MailboxId));
  planning.draft.counters = { ...planning.draft.counters, mailbox };
  return `B${mailbox}` as MailboxId;
}

function givenId(planning: Planning, given: MailboxId, account: AccountId): MailboxId {
  const id = asId<MailboxId>(given);
  // What was expunged under this id may be somebody else's.
  const hidden = planning.draft.mailbox(expungedMailboxOf(id));
  if (planning.draft.mailbox(id) || (hidden && hidden.account !== account)) {
    throw new MailError('ALREADYEXISTS', 'Mailbox id is in use');
  }
  const own = /^B([1-9][0-9]{0,14})$/.exec(id);
  const { counters } = planning.draft;
  // Never given a second time by us, though this mailbox be deleted.
  if (own && Number(own[1]) > counters.mailbox) {
    planning.draft.counters = { ...counters, mailbox: Number(own[1]) };
  }
  return id;
}

/** From a counter of the store and never from the clock, so that no name ever gets the same one twice. */
function nextUidValidity(planning: Planning, given: UidValidity | undefined): UidValidity {
  const { counters } = planning.draft;
  const uidValidity = given ?? counters.uidValidity + 1;
  if (!Number.isInteger(uidValidity) || uidValidity < 1 || uidValidity > MAX_UIDVALIDITY) {
    if (given !== undefined) throw new TypeError(`not a UIDVALIDITY: ${given}`);
    throw new MailError('LIMIT', 'The store has used up its UIDVALIDITY values');
  }
  planning.draft.counters = {
    ...counters,
    uidValidity: Math.max(counters.uidValidity, uidValidity),
  };
  return uidValidity as UidValidity;
}

export function rename(planning: Planning, write: WriteOf<'renameMailbox'>): WriteResult {
  const mailbox = planning.visible(write.mailbox);
  const account = planning.account(mailbox.account);
  const name = mailboxName(write.name);
  if (name === mailbox.name) return { mailbox: mailbox.id };
  if (account.mailboxes.has(name)) throw new MailError('ALREADYEXISTS', 'Mailbox already exists');
  if (mailbox.name === 'INBOX') return renameInbox(planning, mailbox, name);
  const below = `${mailbox.name}/`;
  if (name.startsWith(below)) throw new MailError('CANNOT', 'A mailbox cannot move into itself');
  for (const [childName, id] of [...account.mailboxes]) {
    if (!childName.startsWith(below)) continue;
    const newName = mailboxName(`${name}/${childName.slice(below.length)}`);
    if (account.mailboxes.has(newName)) {
      throw new MailError('ALREADYEXISTS', 'A mailbox below the new name already exists');
    }
    setProperties(planning, planning.mailbox(id), { name: newName });
  }
  setProperties(planning, mailbox, { name });
  return { mailbox: mailbox.id };
}

function renameInbox(planning: Planning, inbox: MailboxState, name: string): WriteResult {
  planning.charge(inbox.account, { mailboxes: 1 });
  const made = make(planning, inbox.account, { name, subscribed: inbox.subscribed });
  const target = planning.mailbox(made.mailbox as MailboxId);
  const all = [[1 as Uid, inbox.uidNext]] as const;
  return { ...made, ...transfer(planning, inbox, target, all, true) };
}

export function remove(planning: Planning, write: WriteOf<'deleteMailbox'>): WriteResult {
  const mailbox = planning.visible(write.mailbox);
  if (mailbox.name === 'INBOX') throw new MailError('CANNOT', 'INBOX cannot be deleted');
  const { id, account } = mailbox;
  const modSeq = planning.nextModSeq(account);
  dropNew(planning, mailbox, modSeq);
  // Its messages can be brought back, into another one.
  planning.emit({ kind: 'mailboxGone', mailbox: id, account, modSeq, kept: planning.now });
  // A subscription outlives its mailbox (RFC 9051 section 6.3.7).
  if (mailbox.subscribed) keepName(planning, mailbox.account, mailbox.name);
  return { mailbox: mailbox.id, modSeq };
}

export function set(planning: Planning, write: WriteOf<'setMailbox'>): WriteResult {
  const mailbox = planning.visible(write.mailbox);
  const acl = write.acl ? merge(mailbox.acl, write.acl) : mailbox.acl;
  const metadata = write.metadata ? merge(mailbox.metadata, write.metadata) : mailbox.metadata;
  const octets = metadata.reduce((sum, [entry, value]) => sum + entry.length + value.length, 0);
  if (acl.length > MAX_ENTRIES || metadata.length > MAX_ENTRIES || octets > MAX_METADATA) {
    throw new MailError('LIMIT', 'Too much is attached to this mailbox');
  }
  setProperties(planning, mailbox, {
    acl,
    metadata: metadata.map(([entry, value]) => [entry, new Uint8Array(value)]),
    ...(write.limits ? { limits: limited(mailbox.limits, write.limits) } : {}),
    ...(write.subscribed === undefined ? {} : { subscribed: write.subscribed }),
    ...(write.specialUse === undefined ? {} : { specialUse: write.specialUse }),
  });
  return { mailbox: mailbox.id };
}

function limited(before: MailboxLimits, change: WriteOf<'setMailbox'>['limits']): MailboxLimits {
  const after: { octets?: number; messages?: number } = { ...before };
  for (const name of ['octets', 'messages'] as const) {
    const limit = change?.[name];
    if (limit === null) delete after[name];
    else if (limit !== undefined) after[name] = checkLimit(limit);
  }
  return after;
}

function checkLimit(limit: number): number {
  if (limit >= 0) return limit;
  throw new TypeError(`not a limit: ${limit}`);
}

/** Sorted by key; null removes. */
function merge<K extends string, V>(
  before: readonly (readonly [K, V])[],
  changes: readonly (readonly [K, V | null])[],
): (readonly [K, V])[] {
  const all = new Map(before);
  for (const [key, value] of changes) {
    if (value === null) all.delete(key);
    else all.set(key, value);
  }
  return [...all].sort(([a], [b]) => compareKeys(a, b));
}

type PropertyChange = Partial<Omit<Properties, 'specialUse'>> & { specialUse?: string | null };

function setProperties(planning: Planning, mailbox: MailboxState, change: PropertyChange): void {
  const { name, subscribed, acl, metadata, limits } = { ...mailbox, ...change };
  const specialUse = change.specialUse === undefined ? mailbox.specialUse : change.specialUse;
  if (name !== mailbox.name) forgetName(planning, mailbox.account, name);
  planning.emit({
    kind: 'properties',
    mailbox: mailbox.id,
    account: mailbox.account,
    properties: {
      ...{ name, subscribed, acl, metadata, limits },
      ...(specialUse == null ? {} : { specialUse }),
    },
  });
}

export function subscribeName(planning: Planning, write: WriteOf<'subscribeName'>): WriteResult {
  const account = planning.account(write.account);
  const name = mailboxName(write.name);
  const id = account.mailboxes.get(name);
  if (id) setProperties(planning, planning.mailbox(id), { subscribed: write.subscribed });
  else if (write.subscribed) keepName(planning, account.id, name);
  else forgetName(planning, account.id, name);
  return {};
}

function keepName(planning: Planning, id: AccountId, name: string): void {
  const { names } = planning.account(id);
  if (names.includes(name)) return;
  if (names.length >= MAX_ENTRIES) throw new MailError('LIMIT', 'Too many subscriptions');
  planning.emit({ kind: 'names', account: id, names: [...names, name].sort(compareKeys) });
}

function forgetName(planning: Planning, id: AccountId, name: string): void {
  const { names } = planning.account(id);
  if (!names.includes(name)) return;
  planning.emit({ kind: 'names', account: id, names: names.filter((known) => known !== name) });
}

export function createAccount(planning: Planning, write: WriteOf<'createAccount'>): WriteResult {
  const account = asId<AccountId>(write.account);
  if (planning.draft.account(account)) {
    throw new MailError('ALREADYEXISTS', 'Account exists, or existed once');
  }
  checkLimits(write.limits);
  planning.emit({ kind: 'account', account, limits: { ...write.limits } });
  return make(planning, account, { name: 'INBOX', subscribed: true });
}

export function destroyAccount(planning: Planning, write: WriteOf<'destroyAccount'>): WriteResult {
  const { id } = planning.account(write.account);
  for (const [space, key] of [...planning.draft.recordsOf(id)]) {
    erase(planning, space, key, planning.draft.record(space, key) as RecordState);
  }
  planning.emit({ kind: 'accountGone', account: id });
  return {};
}

export function setAccount(planning: Planning, write: WriteOf<'setAccount'>): WriteResult {
  const { id, limits } = planning.account(write.account);
  checkLimits(write.limits);
  planning.emit({ kind: 'account', account: id, limits: { ...limits, ...write.limits } });
  return {};
}

function checkLimits(limits: Partial<Limits> = {}): void {
  for (const limit of Object.values(limits)) checkLimit(limit);
}
