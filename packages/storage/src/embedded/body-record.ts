/**
 * Messages and values of records as they lie in the payload of a commit: with a checksum of their own, so that one of them
 * can be read without the rest.
 */
import { crc32 } from 'node:zlib';
import { MailError, type EmailId, type Facts, type Part, type Row } from '@mail-server-kit/core';
import type { Extent, Message, Pieces, RecordBody } from '../state/pieces.ts';
import { Packer, Unpacker } from './pack.ts';
import { AES_256_GCM, PLAIN, isEncrypted } from './pack-section.ts';
import { FRONT_OCTETS, KEY_OCTETS, sealed, type SealedKind } from './vault/sealer.ts';
import type { KeyOwner, Vault } from './vault/vault.ts';

/** Of a message record and of a record's value: checksum, version, algorithm, two octets kept free. */
const HEAD = 8;
const VERSION = 1;

/** How an extent names its place. */
const ABSOLUTE = 0;
/** So many octets before the record that names it: its own commit, whose place is not known while it is packed. */
const BEFORE = 1;
/** Added to that: the key of the body follows. */
const SEALED = 2;

/** Whose a body record is. */
export interface Owner {
  readonly account: KeyOwner;
  /** Undefined: nothing is encrypted. */
  readonly vault: Vault | undefined;
}

/** Returns where it begins in `to`. */
export function packMessage(
  to: Packer,
  message: Message,
  extents: readonly Extent[],
  owner: Owner,
): number {
  const { start, inside } = begin(to, owner);
  const { facts } = message;
  to.text(message.emailId);
  to.u8(facts.ascii ? 1 : 0);
  to.varint(facts.version);
  to.octets(facts.envelope);
  to.octets(facts.structure);
  to.text(facts.preview);
  to.f64(facts.sort.sentDate);
  for (const name of ['subject', 'from', 'to', 'cc'] as const) to.text(facts.sort[name]);
  to.text(facts.thread.messageId);
  to.list(facts.thread.references, (reference) => to.text(reference));
  packPieces(to, start, message.size, extents);
  finish(to, start, inside, owner, sealed.message);
  return start;
}

export function packValue(
  to: Packer,
  { value, content }: RecordBody,
  extents: readonly Extent[],
  owner: Owner,
): number {
  const { start, inside } = begin(to, owner);
  to.octets(value);
  to.maybe(content, ({ size }) => packPieces(to, start, size, extents));
  finish(to, start, inside, owner, sealed.value);
  return start;
}

/** `inside`: where what is sealed begins. */
function begin(to: Packer, { account, vault }: Owner): { start: number; inside: number } {
  const start = to.zeros(HEAD);
  to.bytes[start + 4] = VERSION;
  to.bytes[start + 5] = vault ? AES_256_GCM : PLAIN;
  if (!vault) return { start, inside: start + HEAD };
  to.text(account);
  return { start, inside: to.zeros(FRONT_OCTETS) };
}

function finish(
  to: Packer,
  start: number,
  inside: number,
  { account, vault }: Owner,
  kind: SealedKind,
): void {
  vault?.seal(to, inside, account, kind);
  to.u32At(start, crc32(to.bytes.subarray(start + 4)));
}

function packPieces(to: Packer, start: number, size: number, extents: readonly Extent[]): void {
  to.varint(size);
  to.list(extents, (extent) => {
    const form = extent.key ? SEALED : 0;
    if (extent.place < 0) {
      to.u8(BEFORE + form);
      to.varint(start + to.elsewhere + extent.place);
    } else {
      to.u8(ABSOLUTE + form);
      to.f64(extent.place);
    }
    to.varint(extent.octets);
    to.u32(extent.crc);
    to.varint(extent.skip);
    to.varint(extent.take);
    if (extent.key) to.raw(extent.key);
  });
}

/** @throws MailError CORRUPTION, EXPUNGED if the key is destroyed */
function opened(bytes: Uint8Array, kind: SealedKind, vault: Vault | undefined): Unpacker {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < HEAD || crc32(bytes.subarray(4)) !== view.getUint32(0, true)) {
    throw new MailError('CORRUPTION', 'A stored message is damaged');
  }
  const algorithm = bytes[5];
  if (bytes[4] !== VERSION || (algorithm !== PLAIN && algorithm !== AES_256_GCM)) {
    throw new MailError('CORRUPTION', 'A stored message has a form that this version cannot read');
  }
  const from = new Unpacker(bytes, HEAD);
  if (algorithm === PLAIN) return from;
  if (!vault) throw isEncrypted();
  const account = from.text() as KeyOwner;
  const plain = vault.open(bytes.subarray(from.at), account, kind);
  if (!plain) throw new MailError('EXPUNGED', 'The account is destroyed');
  return new Unpacker(plain);
}

/** `place`: where `bytes` lie in the journal. */
export function unpackMessage(bytes: Uint8Array, place: number, vault?: Vault): Message {
  const from = opened(bytes, sealed.message, vault);
  const emailId = from.text() as EmailId;
  const facts = unpackFacts(from);
  return { emailId, facts, ...unpackPieces(from, place) };
}

/** What is inside a message record: of two that are the same, these octets are the same, sealed or not. */
export function insideMessage(bytes: Uint8Array, vault?: Vault): Uint8Array {
  return opened(bytes, sealed.message, vault).rest();
}

/** From what is inside a message record: what was asked for, and no more. */
export function unpackRow(
  from: Unpacker,
  parts: readonly Part[],
): { readonly emailId?: EmailId; readonly facts: Row['facts'] } {
  const wanted = (part: Part) => parts.includes(part);
  const emailId = wanted('ids') ? (from.text() as EmailId) : from.skip();
  const ascii = from.u8() !== 0;
  const facts: { -readonly [Name in keyof Row['facts']]: Row['facts'][Name] } = {
    version: from.varint(),
    ascii,
  };
  if (wanted('envelope')) facts.envelope = from.octets();
  else from.skip();
  if (wanted('structure')) facts.structure = from.octets();
  else from.skip();
  if (wanted('preview')) facts.preview = from.text();
  else from.skip();
  if (wanted('sort')) facts.sort = unpackSort(from);
  else if (wanted('thread')) unpackSort(from);
  if (wanted('thread')) facts.thread = unpackThread(from);
  return emailId === undefined ? { facts } : { emailId, facts };
}

const unpackSort = (from: Unpacker): Facts['sort'] => ({
  sentDate: from.f64(),
  subject: from.text(),
  from: from.text(),
  to: from.text(),
  cc: from.text(),
});

const unpackThread = (from: Unpacker): Facts['thread'] => ({
  messageId: from.text(),
  references: from.list(() => from.text()),
});

function unpackFacts(from: Unpacker): Facts {
  const ascii = from.u8() !== 0;
  const version = from.varint();
  const envelope = from.octets();
  const structure = from.octets();
  const preview = from.text();
  const sort = unpackSort(from);
  const thread = unpackThread(from);
  return { version, envelope, structure, ascii, preview, sort, thread };
}

export function unpackValue(bytes: Uint8Array, place: number, vault?: Vault): RecordBody {
  const from = opened(bytes, sealed.value, vault);
  const value = new Uint8Array(from.octets());
  const content = from.maybe(() => unpackPieces(from, place));
  return content ? { value, content } : { value };
}

function unpackPieces(from: Unpacker, place: number): Pieces {
  const size = from.varint();
  const pieces = from.list((): Extent => {
    const form = from.u8();
    const at = (form & BEFORE) !== 0 ? place - from.varint() : from.f64();
    const extent = {
      place: at,
      octets: from.varint(),
      crc: from.u32(),
      skip: from.varint(),
      take: from.varint(),
    };
    return (form & SEALED) === 0 ? extent : { ...extent, key: from.raw(KEY_OCTETS) };
  });
  return { size, pieces };
}
