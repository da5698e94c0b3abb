/** Values of the index: accounts, mailboxes, blocks, records, each with its checksum and the LSN it was written at. */
import { crc32 } from 'node:zlib';
import type {
  AccountId,
  MailboxId,
  ModSeq,
  Uid,
  UidValidity,
  WriteResult,
} from '@mail-server-kit/core';
import type { MailboxState } from '../state/mailbox.ts';
import type { Repeat } from '../state/repeats.ts';
import type { AccountState, Counters, Space } from '../state/world.ts';
import {
  packFlagNames,
  packLimits,
  packProperties,
  unpackFlagNames,
  unpackLimits,
  unpackProperties,
} from './pack-state.ts';
import { Packer, Unpacker } from './pack.ts';
import type { Position } from './scan.ts';

/** Checksum, version, three octets kept free, LSN. */
const HEAD = 16;
const VERSION = 2;

/** Something about the index is not as it was written. It is thrown away and made anew from the journal. */
export class OddIndex extends Error {
  override readonly name = 'OddIndex';
}

export interface Sealed {
  readonly bytes: Uint8Array;
  readonly crc: number;
}

/** The key belongs to the checksum: a value under another key is damage too. */
export function seal(key: string, lsn: number, pack: (to: Packer) => void): Sealed {
  const to = new Packer(512);
  to.zeros(4);
  to.u8(VERSION);
  to.zeros(3);
  to.f64(lsn);
  pack(to);
  const crc = crc32(to.bytes.subarray(4), crc32(key));
  to.u32At(0, crc);
  return { bytes: to.bytes, crc };
}

export interface Unsealed {
  readonly from: Unpacker;
  readonly lsn: number;
  readonly crc: number;
}

export function unseal(key: string, bytes: Uint8Array): Unsealed {
  if (bytes.length < HEAD) throw new OddIndex(`${key} is too short`);
  const from = new Unpacker(bytes);
  const crc = from.u32();
  if (crc32(bytes.subarray(4), crc32(key)) !== crc) throw new OddIndex(`${key} is damaged`);
  if (from.u8() !== VERSION) throw new OddIndex(`${key} has another version`);
  from.raw(3);
  return { crc, lsn: from.f64(), from };
}

/** Number of values of a kind, and the sum of their checksums modulo 2^32: a value that is missing shows. */
export interface Tally {
  count: number;
  sum: number;
}

export interface Manifest {
  readonly counters: Counters;
  readonly tallies: ReadonlyMap<string, Tally>;
}

export function packManifest(to: Packer, { counters, tallies }: Manifest): void {
  to.varint(counters.uidValidity);
  to.varint(counters.mailbox);
  to.varint(counters.email);
  to.list([...tallies], ([kind, { count, sum }]) => {
    to.text(kind);
    to.varint(count);
    to.u32(sum);
  });
}

export function unpackManifest(from: Unpacker): Manifest {
  const counters = { uidValidity: from.varint(), mailbox: from.varint(), email: from.varint() };
  const tallies = new Map(
    from.list(() => [from.text(), { count: from.varint(), sum: from.u32() }] as const),
  );
  return { counters, tallies };
}

export interface Applied {
  readonly store: Uint8Array;
  readonly position: Position;
  /** Checksum of the manifest that belongs to it. */
  readonly manifest: number;
}

export function packApplied(to: Packer, { store, position, manifest }: Applied): void {
  to.raw(store);
  to.u32(position.segment);
  to.u32(position.offset);
  to.f64(position.lsn);
  to.u32(manifest);
}

export function unpackApplied(from: Unpacker): Applied {
  const store = new Uint8Array(from.raw(16));
  const position = { segment: from.u32(), offset: from.u32(), lsn: from.f64() };
  return { store, position, manifest: from.u32() };
}

export function packAccount(to: Packer, account: AccountState): void {
  to.u8(account.destroyed ? 1 : 0);
  to.varint(account.modSeq);
  packLimits(to, account.limits);
  to.list(account.names, (name) => to.text(name));
  to.varint(account.messages);
  to.varint(account.octets);
}

export function unpackAccount(id: AccountId, from: Unpacker): AccountState {
  return {
    id,
    destroyed: from.u8() !== 0,
    modSeq: from.varint() as ModSeq,
    limits: unpackLimits(from),
    mailboxes: new Map(),
    names: from.list(() => from.text()),
    messages: from.varint(),
    octets: from.varint(),
  };
}

/** A block as the mailbox lists it. */
export interface BlockEntry {
  readonly number: number;
  readonly crc: number;
}

export function packMailbox(
  to: Packer,
  mailbox: MailboxState,
  blocks: readonly BlockEntry[],
): void {
  to.text(mailbox.account);
  to.varint(mailbox.uidValidity);
  to.varint(mailbox.uidNext);
  to.varint(mailbox.highestModSeq);
  packFlagNames(to, mailbox.flagNames);
  packProperties(to, mailbox);
  to.varint(mailbox.messages);
  to.varint(mailbox.unseen);
  to.varint(mailbox.deleted);
  to.varint(mailbox.octets);
  to.varint(mailbox.vanishedFrom);
  to.list(mailbox.vanished, ({ modSeq, at, uids }) => {
    to.varint(modSeq);
    to.f64(at);
    to.uids(uids);
  });
  to.list(blocks, ({ number, crc }) => {
    to.varint(number);
    to.u32(crc);
  });
}

/** The mailbox without its blocks, and which these are. */
export function unpackMailbox(
  id: MailboxId,
  from: Unpacker,
): { readonly mailbox: MailboxState; readonly blocks: readonly BlockEntry[] } {
  const account = from.text() as AccountId;
  const uidValidity = from.varint() as UidValidity;
  const uidNext = from.varint() as Uid;
  const highestModSeq = from.varint() as ModSeq;
  const flagNames = unpackFlagNames(from);
  const properties = unpackProperties(from, VERSION);
  const counts = {
    messages: from.varint(),
    unseen: from.varint(),
    deleted: from.varint(),
    octets: from.varint(),
  };
  const vanishedFrom = from.varint() as ModSeq;
  const vanished = from.list(() => ({
    modSeq: from.varint() as ModSeq,
    at: from.f64(),
    uids: from.uids(),
  }));
  const blocks = from.list(() => ({ number: from.varint(), crc: from.u32() }));
  const mailbox: MailboxState = {
    ...{ id, account, uidValidity, uidNext, highestModSeq, flagNames, blocks: [] },
    ...properties,
    ...counts,
    ...{ vanished, vanishedFrom },
    vanishedRanges: vanished.reduce((sum, { uids }) => sum + uids.length, 0),
  };
  return { mailbox, blocks };
}

export function packSpace(to: Packer, space: Pick<Space, 'floor' | 'gone'>): void {
  to.varint(space.floor);
  to.list([...space.gone], ([key, version]) => {
    to.text(key);
    to.varint(version);
  });
}

export function unpackSpace(from: Unpacker, space: Space): void {
  space.floor = from.varint();
  for (const [key, version] of from.list(() => [from.text(), from.varint()] as const)) {
    space.gone.set(key, version);
  }
}

export function packRepeat(to: Packer, { at, lsn, results }: Repeat): void {
  to.f64(at);
  to.varint(lsn);
  to.text(JSON.stringify(results));
}

export function unpackRepeat(id: string, from: Unpacker): Repeat {
  const at = from.f64();
  const lsn = from.varint();
  return { id, at, lsn, results: JSON.parse(from.text()) as WriteResult[] };
}
