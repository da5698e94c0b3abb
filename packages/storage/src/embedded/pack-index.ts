/** Values of the index: accounts, mailboxes, blocks, records, each with its checksum and the LSN it was written at. */
import { crc32 } from 'node:zlib';
import {
  MailError,
  type AccountId,
  type MailboxId,
  type ModSeq,
  type Uid,
  type UidValidity,
  type WriteResult,
} from '@mail-server-kit/core';
import type { About } from '../state/block.ts';
import type { MailboxState } from '../state/mailbox.ts';
import type { Repeat } from '../state/repeats.ts';
import type { AccountState, Counters } from '../state/world.ts';
import { packSection, unpackSection } from './pack-section.ts';
import {
  packFlagNames,
  packLimits,
  packProperties,
  packVanished,
  unpackFlagNames,
  unpackLimits,
  unpackProperties,
  unpackVanished,
} from './pack-state.ts';
import { Packer, Unpacker } from './pack.ts';
import type { Position } from './scan.ts';
import type { Vault } from './vault/vault.ts';

/** Checksum, version, three octets kept free, LSN. A section follows. */
const HEAD = 16;
const VERSION = 4;

/** Something about the index is not as it was written. It is thrown away and made anew from the journal. */
export class OddIndex extends Error {
  override readonly name = 'OddIndex';
}

export interface Sealed {
  readonly bytes: Uint8Array;
  readonly crc: number;
}

/** Where a value lies, and who must not be able to read it any more once the account's key is destroyed: '' is the store. */
export interface Label {
  readonly key: string;
  readonly account: AccountId | '';
  /** Of the checkpoint that writes it. */
  readonly lsn: number;
}

/** The only place where values are made. The key belongs to the checksum: a value under another key is damage too. */
export function seal(
  { key, account, lsn }: Label,
  pack: (to: Packer) => void,
  { vault, octets = 512 }: { vault?: Vault | undefined; octets?: number },
): Sealed {
  const to = new Packer(octets);
  to.zeros(4);
  to.u8(VERSION);
  to.zeros(3);
  to.f64(lsn);
  packSection(to, account, () => pack(to), vault);
  const crc = crc32(to.bytes.subarray(4), crc32(key));
  to.u32At(0, crc);
  return { bytes: to.bytes, crc };
}

export interface Unsealed {
  readonly account: AccountId | '';
  readonly from: Unpacker;
  readonly lsn: number;
  readonly crc: number;
}

/**
 * And the only one where they are opened.
 * @throws OddIndex, UnpackError; MailError EXPUNGED if the key is destroyed, CORRUPTION
 */
export function unseal(key: string, bytes: Uint8Array, vault: Vault | undefined): Unsealed {
  if (bytes.length < HEAD) throw new OddIndex(`${key} is too short`);
  const from = new Unpacker(bytes);
  const crc = from.u32();
  if (crc32(bytes.subarray(4), crc32(key)) !== crc) throw new OddIndex(`${key} is damaged`);
  if (from.u8() !== VERSION) throw new OddIndex(`${key} has another version`);
  from.raw(3);
  const lsn = from.f64();
  const { account, inside } = unpackSection(from, vault);
  if (!inside) throw new MailError('EXPUNGED', 'The account is destroyed');
  return { crc, lsn, account, from: inside };
}

/** Whether a value is as it was written, looked at without a key. */
export const isSound = (key: string, bytes: Uint8Array): boolean =>
  bytes.length >= HEAD &&
  crc32(bytes.subarray(4), crc32(key)) ===
    Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE();

/** Number of values of a kind, and the sum of their checksums modulo 2^32: a value that is missing shows. */
export interface Tally {
  count: number;
  sum: number;
}

export interface Manifest {
  readonly counters: Counters;
  /** Number of the block that was written last. */
  readonly lastBlock: number;
  /** Blocks that no mailbox has any more and that are still there, because somebody may look at them. */
  readonly stale: readonly number[];
  readonly tallies: ReadonlyMap<string, Tally>;
}

export function packManifest(to: Packer, { counters, lastBlock, stale, tallies }: Manifest): void {
  to.varint(counters.uidValidity);
  to.varint(counters.mailbox);
  to.varint(counters.email);
  to.varint(lastBlock);
  to.list(stale, (number) => to.varint(number));
  to.list([...tallies], ([kind, { count, sum }]) => {
    to.text(kind);
    to.varint(count);
    to.u32(sum);
  });
}

export function unpackManifest(from: Unpacker): Manifest {
  const counters = { uidValidity: from.varint(), mailbox: from.varint(), email: from.varint() };
  const lastBlock = from.varint();
  const stale = from.list(() => from.varint());
  const tallies = new Map(
    from.list(() => [from.text(), { count: from.varint(), sum: from.u32() }] as const),
  );
  return { counters, lastBlock, stale, tallies };
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
  /** CRC-32 of its columns. */
  readonly sum: number;
  /** Of the checkpoint that wrote it. */
  readonly lsn: number;
}

export function packMailbox(
  to: Packer,
  mailbox: MailboxState,
  blocks: readonly (readonly [About, BlockEntry])[],
): void {
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
  packVanished(to, mailbox.vanished);
  let last = 0;
  to.list(blocks, ([about, { number, sum, lsn }]) => {
    to.varint(number);
    to.varint(lsn);
    to.u32(sum);
    to.varint(about.length);
    to.varint(about.firstUid - last);
    to.varint(about.lastUid - about.firstUid);
    to.varint(about.unseen);
    to.varint(about.deleted);
    to.varint(about.someLow);
    to.varint(about.someHigh);
    to.varint(about.everyLow);
    to.varint(about.everyHigh);
    last = about.lastUid;
  });
}

/** The mailbox without its blocks, and which these are. */
export function unpackMailbox(
  id: MailboxId,
  account: AccountId,
  from: Unpacker,
): {
  readonly mailbox: MailboxState;
  readonly blocks: readonly (readonly [About, BlockEntry])[];
} {
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
  const vanished = unpackVanished(from);
  let last = 0;
  const blocks = from.list((): readonly [About, BlockEntry] => {
    const entry = { number: from.varint(), lsn: from.varint(), sum: from.u32() };
    const length = from.varint();
    const firstUid = (last + from.varint()) as Uid;
    const lastUid = (last = firstUid + from.varint()) as Uid;
    const counts = { unseen: from.varint(), deleted: from.varint() };
    const some = { someLow: from.varint(), someHigh: from.varint() };
    const every = { everyLow: from.varint(), everyHigh: from.varint() };
    return [{ length, firstUid, lastUid, ...counts, ...some, ...every }, entry];
  });
  const mailbox: MailboxState = {
    ...{ id, account, uidValidity, uidNext, highestModSeq, flagNames, blocks: [] },
    ...properties,
    ...counts,
    ...{ vanished, vanishedFrom },
    vanishedRanges: vanished.reduce((sum, { uids }) => sum + uids.length, 0),
  };
  return { mailbox, blocks };
}

export function packRepeat(to: Packer, { at, lsn, results }: Repeat): void {
  to.f64(at);
  to.varint(lsn);
  to.text(JSON.stringify(results));
}

export function unpackRepeat(id: string, account: AccountId | '', from: Unpacker): Repeat {
  const at = from.f64();
  const lsn = from.varint();
  return { id, at, lsn, account, results: JSON.parse(from.text()) as WriteResult[] };
}
