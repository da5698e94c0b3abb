/** A commit as the payload of a journal record: time, id with results, deltas. */
import type { AccountId, MailboxId, ModSeq, UidValidity, WriteResult } from '@mail-server-kit/core';
import type { Delta } from '../state/delta.ts';
import {
  packFlagNames,
  packLimits,
  packProperties,
  packRecord,
  packRows,
  unpackFlagNames,
  unpackLimits,
  unpackProperties,
  unpackRecord,
  unpackRows,
} from './pack-state.ts';
import { UnpackError, type Packer, type Unpacker } from './pack.ts';

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
} as const satisfies Record<Delta['kind'], number>;

const kinds = new Map<number, Delta['kind']>(
  Object.entries(codes).map(([kind, code]) => [code, kind as Delta['kind']]),
);

export function packCommit(to: Packer, commit: CommitRecord): void {
  to.f64(commit.at);
  to.maybe(commit.id, (id) => {
    to.text(id);
    to.text(JSON.stringify(commit.results));
  });
  to.list(commit.deltas, (delta) => packDelta(to, delta));
}

export function unpackCommit(from: Unpacker): CommitRecord {
  const at = from.f64();
  const known = from.maybe(() => ({ id: from.text(), results: from.text() }));
  const deltas = from.list(() => unpackDelta(from));
  if (!known) return { at, deltas, results: [] };
  return { at, deltas, id: known.id, results: JSON.parse(known.results) as WriteResult[] };
}

function packDelta(to: Packer, delta: Delta): void {
  to.u8(codes[delta.kind]);
  if ('mailbox' in delta && delta.kind !== 'counters') {
    to.text(delta.mailbox);
    to.text(delta.account);
    if ('modSeq' in delta) to.varint(delta.modSeq);
  }
  switch (delta.kind) {
    case 'counters':
      to.varint(delta.uidValidity);
      to.varint(delta.mailbox);
      to.varint(delta.email);
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
  }
}

function unpackDelta(from: Unpacker): Delta {
  const kind = kinds.get(from.u8());
  const account = () => from.text() as AccountId;
  const inside = () => ({ mailbox: from.text() as MailboxId, account: account() });
  const modSeq = () => from.varint() as ModSeq;
  switch (kind) {
    case 'counters':
      return { kind, uidValidity: from.varint(), mailbox: from.varint(), email: from.varint() };
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
        properties: unpackProperties(from),
      };
    case 'properties':
      return { kind, ...inside(), properties: unpackProperties(from) };
    case 'mailboxGone':
      return { kind, ...inside(), modSeq: modSeq() };
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
      return { kind, ...inside(), modSeq: modSeq(), uids: from.uids() };
    case 'record':
      return { kind, space: from.text(), key: from.text(), record: unpackRecord(from) };
    case 'recordGone': {
      const gone = { kind, space: from.text(), key: from.text(), version: from.varint() };
      const owner = from.maybe(account);
      return owner === undefined ? gone : { ...gone, account: owner };
    }
    case undefined:
      throw new UnpackError('unknown kind of change');
  }
}
