/** Rows, properties and the like: the parts that journal records and checkpoints have in common. */
import { systemFlags, type AccountId, type Limits, type ModSeq } from '@mail-server-kit/core';
import { ROW_OCTETS, columnNames, rowsFrom, type Columns, type Rows } from '../state/columns.ts';
import type { Properties, Vanished } from '../state/mailbox.ts';
import type { RecordState } from '../state/world.ts';
import { UnpackError, type Packer, type Unpacker } from './pack.ts';

/** System flags have the same bits in every mailbox; only keywords are written down. */
export function packFlagNames(to: Packer, names: readonly string[]): void {
  to.list(names.slice(systemFlags.length), (name) => to.text(name));
}

export function unpackFlagNames(from: Unpacker): readonly string[] {
  const keywords = from.list(() => from.text());
  return keywords.length === 0 ? systemFlags : [...systemFlags, ...keywords];
}

export function packRows(to: Packer, rows: Columns): void {
  to.varint(rows.uid.length);
  if (rows.uid.length === 1) {
    packRow(to, rows);
    return;
  }
  for (const name of columnNames) {
    const { buffer, byteOffset, byteLength } = rows[name];
    to.raw(new Uint8Array(buffer, byteOffset, byteLength));
  }
}

/** A message that arrives: views of its columns would cost more than writing it number by number. */
function packRow(to: Packer, rows: Columns): void {
  to.f64(rows.internalDate[0] as number);
  to.f64(rows.saveDate[0] as number);
  to.f64(rows.email[0] as number);
  to.f64(rows.place[0] as number);
  to.u32(rows.placeOctets[0] as number);
  to.u32(rows.uid[0] as number);
  to.u32(rows.size[0] as number);
  to.i16(rows.internalZone[0] as number);
  to.f64(rows.modSeq[0] as number);
  to.u32(rows.flagsLow[0] as number);
  to.u32(rows.flagsHigh[0] as number);
}

export function unpackRows(from: Unpacker): Rows {
  const count = from.varint();
  if (count > 0xffff_ffff) throw new UnpackError('too many rows');
  return rowsFrom(count, from.raw(count * ROW_OCTETS));
}

export function packProperties(to: Packer, properties: Properties): void {
  to.text(properties.name);
  to.maybe(properties.specialUse, (use) => to.text(use));
  to.u8(properties.subscribed ? 1 : 0);
  to.list(properties.acl, ([who, rights]) => {
    to.text(who);
    to.text(rights);
  });
  to.list(properties.metadata, ([entry, value]) => {
    to.text(entry);
    to.octets(value);
  });
  packLimits(to, properties.limits);
}

/** `version`: of the form that they are a part of. The first knew no limits of a mailbox. */
export function unpackProperties(from: Unpacker, version: number): Properties {
  const name = from.text();
  const specialUse = from.maybe(() => from.text());
  const subscribed = from.u8() !== 0;
  const acl = from.list(() => [from.text() as AccountId, from.text()] as const);
  const metadata = from.list(() => [from.text(), new Uint8Array(from.octets())] as const);
  const limits = version === 1 ? {} : unpackLimits(from);
  const properties = { name, subscribed, acl, metadata, limits };
  return specialUse === undefined ? properties : { ...properties, specialUse };
}

export function packVanished(to: Packer, vanished: readonly Vanished[]): void {
  to.list(vanished, ({ modSeq, at, uids }) => {
    to.varint(modSeq);
    to.f64(at);
    to.uids(uids);
  });
}

export const unpackVanished = (from: Unpacker): Vanished[] =>
  from.list(() => ({ modSeq: from.varint() as ModSeq, at: from.f64(), uids: from.uids() }));

const limitNames = ['octets', 'messages', 'mailboxes', 'messageOctets'] as const;

export function packLimits(to: Packer, limits: Partial<Limits>): void {
  for (const name of limitNames) to.maybe(limits[name], (limit) => to.f64(limit));
}

export function unpackLimits(from: Unpacker): Partial<Limits> {
  const limits: { -readonly [Name in keyof Limits]?: number } = {};
  for (const name of limitNames) {
    const limit = from.maybe(() => from.f64());
    if (limit !== undefined) limits[name] = limit;
  }
  return limits;
}

/** Of a record that is there. */
export function packRecord(to: Packer, record: RecordState): void {
  to.varint(record.version);
  to.f64(record.kept.place);
  to.u32(record.kept.octets);
  to.varint(record.octets);
  to.maybe(record.size, (size) => to.varint(size));
  to.maybe(record.expires, (expires) => to.f64(expires));
  to.maybe(record.account, (account) => to.text(account));
}

export function unpackRecord(from: Unpacker): RecordState {
  const version = from.varint();
  const kept = { place: from.f64(), octets: from.u32() };
  const octets = from.varint();
  const size = from.maybe(() => from.varint());
  const expires = from.maybe(() => from.f64());
  const account = from.maybe(() => from.text() as AccountId);
  return {
    ...{ version, gone: false, kept, octets },
    ...(size === undefined ? {} : { size }),
    ...(expires === undefined ? {} : { expires }),
    ...(account === undefined ? {} : { account }),
  };
}
