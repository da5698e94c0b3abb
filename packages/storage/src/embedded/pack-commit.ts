/** A commit as the payload of a journal record: time, counters, and a section for each account that it changes. */
import type {
  AccountId,
  MailboxId,
  ModSeq,
  Uid,
  UidValidity,
  WriteResult,
} from '@mail-server-kit/core';
import { ownerOf, repeatOwner, type Delta } from '../state/delta.ts';
import type { Counters } from '../state/world.ts';
import {
  packFlagNames,
  packLimits,
  packProperties,
  packRecord,
  packRows,
  packVanished,
  unpackFlagNames,
  unpackLimits,
  unpackProperties,
  unpackRecord,
  unpackRows,
  unpackVanished,
} from './pack-state.ts';
import { packSection, unpackSection } from './pack-section.ts';
import { UnpackError, type Packer, type Unpacker } from './pack.ts';
import type { Vault } from './vault/vault.ts';

export interface CommitRecord {
  readonly at: number;
  readonly id?: string;
  /** Only with an id. */
  readonly results: readonly WriteResult[];
  readonly deltas: readonly Delta[];
}

/** The numbers that stand for kinds of deltas in the journal. They never change their meaning. */
const codes = {
  counters: 1,
  account: 2,
  accountGone: 3,
  names: 4,
  mailbox: 5,
  properties: 6,
  mailboxGone: 7,
  rows: 8,
  flags: 9,
  expunge: 10,
  record: 11,
  recordGone: 12,
  floor: 15,
  mailboxState: 16,
  accountState: 17,
  spaceState: 18,
} as const satisfies Record<Delta['kind'], number>;

/** Two of them, when what goes can be brought back: with the time at the end. */
const keptCodes = { mailboxGone: 13, expunge: 14 } as const;

const kinds = new Map<number, Delta['kind']>(
  [...Object.entries(codes), ...Object.entries(keptCodes)].map(([kind, code]) => [
    code,
    kind as Delta['kind'],
  ]),
);

const codeOf = (delta: Delta): number =>
  'kept' in delta && delta.kept !== undefined ? keptCodes[delta.kind] : codes[delta.kind];

/** What follows the time of a commit. */
const HAS_ID = 1;
const HAS_COUNTERS = 2;

export function packCommit(to: Packer, commit: CommitRecord, vault?: Vault): void {
  const { at, id, results } = commit;
  const deltas = vault ? [...commit.deltas, ...floorsOf(commit.deltas)] : commit.deltas;
  const [first] = deltas;
  // They belong to no account and say nothing of one, and nearly every commit has them: so they are no section.
  const counters = first?.kind === 'counters' ? first : undefined;
  to.f64(at);
  to.u8((id === undefined ? 0 : HAS_ID) | (counters ? HAS_COUNTERS : 0));
  if (counters) packCounters(to, counters);
  const sections = sectionsOf(deltas, counters ? 1 : 0);
  // Id and results are in front.
  if (id !== undefined && sections[0]?.account !== repeatOwner(deltas)) {
    sections.unshift({ account: '', from: 0, end: 0 });
  }
  to.varint(sections.length);
  sections.forEach(({ account, from, end }, index) => {
    const pack = () => {
      if (index === 0 && id !== undefined) {
        to.text(id);
        to.text(JSON.stringify(results));
      }
      to.varint(end - from);
      for (let i = from; i < end; i++) packDelta(to, deltas[i] as Delta);
    };
    packSection(to, account, pack, vault);
  });
}

/** What has to outlive the keys of the accounts that had the records. */
function floorsOf(deltas: readonly Delta[]): Delta[] {
  const floors = new Map<string, number>();
  for (const delta of deltas) {
    if (delta.kind !== 'recordGone' || delta.account === undefined) continue;
    const { space, version } = delta;
    floors.set(space, Math.max(version, floors.get(space) ?? 0));
  }
  return [...floors].map(([space, version]) => ({ kind: 'floor', space, version }));
}

interface SectionOf {
  readonly account: AccountId | '';
  /** Indices of deltas. */
  readonly from: number;
  end: number;
}

/** Neighbours that belong to the same account share a section: the order of the deltas stays. */
function sectionsOf(deltas: readonly Delta[], from: number): SectionOf[] {
  const sections: SectionOf[] = [];
  for (let i = from; i < deltas.length; i++) {
    const account = ownerOf(deltas[i] as Delta);
    const last = sections.at(-1);
    if (last?.account === account) last.end = i + 1;
    else sections.push({ account, from: i, end: i + 1 });
  }
  return sections;
}

/**
 * `version`: of the payload's form, from the record's header. What belongs to accounts whose keys are destroyed is not in it.
 * @throws MailError CORRUPTION, CANNOT
 */
export function unpackCommit(from: Unpacker, version: number, vault?: Vault): CommitRecord {
  return version === 1 ? unpackFirstForm(from) : unpackSecondForm(from, vault);
}

/** One list of changes, without sections. */
function unpackFirstForm(from: Unpacker): CommitRecord {
  const at = from.f64();
  const known = from.maybe(() => unpackRepeat(from));
  return { at, results: [], ...known, deltas: from.list(() => unpackDelta(from, 1)) };
}

function unpackSecondForm(from: Unpacker, vault: Vault | undefined): CommitRecord {
  const at = from.f64();
  const has = from.u8();
  const deltas: Delta[] = has & HAS_COUNTERS ? [unpackCounters(from)] : [];
  let known: ReturnType<typeof unpackRepeat> | undefined;
  const sections = from.varint();
  for (let index = 0; index < sections; index++) {
    const { inside } = unpackSection(from, vault);
    if (!inside) continue;
    if (index === 0 && has & HAS_ID) known = unpackRepeat(inside);
    for (let left = inside.varint(); left > 0; left--) deltas.push(unpackDelta(inside, 2));
  }
  return { at, results: [], ...known, deltas };
}

function unpackRepeat(from: Unpacker): { id: string; results: readonly WriteResult[] } {
  return { id: from.text(), results: JSON.parse(from.text()) as WriteResult[] };
}

function packCounters(to: Packer, counters: Counters): void {
  to.varint(counters.uidValidity);
  to.varint(counters.mailbox);
  to.varint(counters.email);
}

const unpackCounters = (from: Unpacker): Extract<Delta, { kind: 'counters' }> => ({
  kind: 'counters',
  uidValidity: from.varint(),
  mailbox: from.varint(),
  email: from.varint(),
});

function packDelta(to: Packer, delta: Delta): void {
  to.u8(codeOf(delta));
  if ('mailbox' in delta && delta.kind !== 'counters') {
    to.text(delta.mailbox);
    to.text(delta.account);
    if ('modSeq' in delta) to.varint(delta.modSeq);
  }
  switch (delta.kind) {
    case 'counters':
      packCounters(to, delta);
      return;
    case 'account':
      to.text(delta.account);
      packLimits(to, delta.limits);
      return;
    case 'accountGone':
      to.text(delta.account);
      return;
    case 'names':
      to.text(delta.account);
      to.list(delta.names, (name) => to.text(name));
      return;
    case 'mailbox':
      to.varint(delta.uidValidity);
      packProperties(to, delta.properties);
      return;
    case 'properties':
      packProperties(to, delta.properties);
      return;
    case 'mailboxGone':
      if (delta.kept !== undefined) to.f64(delta.kept);
      return;
    case 'rows':
      packFlagNames(to, delta.flagNames);
      packRows(to, delta.rows);
      return;
    case 'flags':
      packFlagNames(to, delta.flagNames);
      to.u32(delta.change.clearLow);
      to.u32(delta.change.clearHigh);
      to.u32(delta.change.setLow);
      to.u32(delta.change.setHigh);
      to.uids(delta.uids);
      return;
    case 'expunge':
      to.uids(delta.uids);
      if (delta.kept !== undefined) to.f64(delta.kept);
      return;
    case 'mailboxState':
      to.varint(delta.uidNext);
      packFlagNames(to, delta.flagNames);
      to.varint(delta.vanishedFrom);
      packVanished(to, delta.vanished);
      return;
    case 'accountState':
      to.text(delta.account);
      to.u8(delta.destroyed ? 1 : 0);
      to.varint(delta.modSeq);
      packLimits(to, delta.limits);
      to.list(delta.names, (name) => to.text(name));
      to.list(delta.mailboxes, (mailbox) => to.text(mailbox));
      return;
    case 'spaceState':
      to.text(delta.space);
      to.varint(delta.floor);
      to.list(delta.gone, ([key, version]) => {
        to.text(key);
        to.varint(version);
      });
      return;
    case 'record':
      to.text(delta.space);
      to.text(delta.key);
      packRecord(to, delta.record);
      return;
    case 'recordGone':
      to.text(delta.space);
      to.text(delta.key);
      to.varint(delta.version);
      to.maybe(delta.account, (account) => to.text(account));
      return;
    case 'floor':
      to.text(delta.space);
      to.varint(delta.version);
      return;
  }
}

function unpackDelta(from: Unpacker, version: number): Delta {
  const code = from.u8();
  const kind = kinds.get(code);
  const kept = () => (code === codes[kind as Delta['kind']] ? {} : { kept: from.f64() });
  const account = () => from.text() as AccountId;
  const inside = () => ({ mailbox: from.text() as MailboxId, account: account() });
  const modSeq = () => from.varint() as ModSeq;
  switch (kind) {
    case 'counters':
      return unpackCounters(from);
    case 'account':
      return { kind, account: account(), limits: unpackLimits(from) };
    case 'accountGone':
      return { kind, account: account() };
    case 'names':
      return { kind, account: account(), names: from.list(() => from.text()) };
    case 'mailbox':
      return {
        kind,
        ...inside(),
        modSeq: modSeq(),
        uidValidity: from.varint() as UidValidity,
        properties: unpackProperties(from, version),
      };
    case 'properties':
      return { kind, ...inside(), properties: unpackProperties(from, version) };
    case 'mailboxGone':
      return { kind, ...inside(), modSeq: modSeq(), ...kept() };
    case 'rows':
      return {
        kind,
        ...inside(),
        modSeq: modSeq(),
        flagNames: unpackFlagNames(from),
        rows: unpackRows(from),
      };
    case 'flags':
      return {
        kind,
        ...inside(),
        modSeq: modSeq(),
        flagNames: unpackFlagNames(from),
        change: {
          clearLow: from.u32(),
          clearHigh: from.u32(),
          setLow: from.u32(),
          setHigh: from.u32(),
        },
        uids: from.uids(),
      };
    case 'expunge':
      return { kind, ...inside(), modSeq: modSeq(), uids: from.uids(), ...kept() };
    case 'mailboxState':
      return {
        kind,
        ...inside(),
        modSeq: modSeq(),
        uidNext: from.varint() as Uid,
        flagNames: unpackFlagNames(from),
        vanishedFrom: modSeq(),
        vanished: unpackVanished(from),
      };
    case 'accountState':
      return {
        kind,
        account: account(),
        destroyed: from.u8() === 1,
        modSeq: modSeq(),
        limits: unpackLimits(from),
        names: from.list(() => from.text()),
        mailboxes: from.list(() => from.text() as MailboxId),
      };
    case 'spaceState':
      return {
        kind,
        space: from.text(),
        floor: from.varint(),
        gone: from.list(() => [from.text(), from.varint()] as const),
      };
    case 'record':
      return { kind, space: from.text(), key: from.text(), record: unpackRecord(from) };
    case 'recordGone': {
      const gone = { kind, space: from.text(), key: from.text(), version: from.varint() };
      const owner = from.maybe(account);
      return owner === undefined ? gone : { ...gone, account: owner };
    }
    case 'floor':
      return { kind, space: from.text(), version: from.varint() };
    case undefined:
      throw new UnpackError('unknown kind of change');
  }
}
