/**
 * The part tree of a message, and its stored form. The stored form is written while the message passes by, part by part,
 * so that 100,000 parts need no objects; it holds distances instead of places, so that header fields can be put in front
 * without reading the message again.
 *
 * Stored form: a version, then for each part an opening, its children in order, and a closing. Numbers are varints (seven
 * bits an octet, low ones first), texts a length and octets.
 *   opening: 0x80 | kind | 0x04 if an ENVELOPE follows | 0x08 if the content is the default of RFC 2045 section 5.2;
 *            octets since the last place named; octets of the header; [ENVELOPE]; [content]
 *   content: presence bits; type; subtype; then what is present, in the order of the bits
 *   closing: 0x00; octets from the last place named to the end of the body; lines of the body
 */
import { MailError } from '@mail-server-kit/core';
import { defaultContent, type Content, type Disposition } from './content.ts';
import type { Parameter } from './parameters.ts';

/** Octets of the message: `start` is included, `end` is not. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * One part. Its texts (type, parameters, ...) have one character per octet and the letter case of the sender; what is
 * beyond a limit of the scanner is one part of type application/octet-stream.
 */
export interface PartTree extends Content {
  /** The MIME header (for the message itself: the message header), with its blank line if there is one. */
  readonly header: Span;
  /** As it is in the message, not decoded. The line end before a boundary is not part of it (RFC 2046 section 5.1.1). */
  readonly body: Span;
  /** Line ends within the body. */
  readonly lines: number;
  /**
   * Of a multipart, undefined for every other part. Never empty: where the message has no part, an empty text/plain part
   * stands, because BODYSTRUCTURE (`body-type-mpart = 1*body ...`) and part numbers want one.
   */
  readonly children: readonly PartTree[] | undefined;
  /** Of a message/rfc822 or message/global: its ENVELOPE as ready bytes, and its root, whose header starts where this body does. */
  readonly message: { readonly envelope: Uint8Array; readonly part: PartTree } | undefined;
}

export type PartKind = 'leaf' | 'multipart' | 'message';

const VERSION = 1;
const OPENING = 0x80;
const CLOSING = 0x00;
const kinds: readonly PartKind[] = ['leaf', 'multipart', 'message'];
const HAS_ENVELOPE = 0x04;
const IS_DEFAULT = 0x08;

const HAS_PARAMETERS = 0x01;
const HAS_DISPOSITION = 0x20;
const HAS_LANGUAGE = 0x40;
/** In the order of their bits: 0x02, 0x04, 0x08, 0x10, 0x80. */
const textBits = [
  ['id', 0x02],
  ['description', 0x04],
  ['encoding', 0x08],
  ['md5', 0x10],
  ['location', 0x80],
] as const;

export class StructureWriter {
  #octets = Buffer.allocUnsafe(512);
  #length = 0;
  #place = 0;
  /** No text holds octets above 127. */
  isAscii = true;

  constructor() {
    this.#number(VERSION);
  }

  /** Octets written so far. */
  get length(): number {
    return this.#length;
  }

  open(kind: PartKind, header: Span, content: Content, envelope: string | undefined): void {
    const isDefault = content === defaultContent;
    const flags = (envelope === undefined ? 0 : HAS_ENVELOPE) | (isDefault ? IS_DEFAULT : 0);
    this.#octet(OPENING | kinds.indexOf(kind) | flags);
    this.#number(header.start - this.#place);
    this.#number(header.end - header.start);
    this.#place = header.end;
    if (envelope !== undefined) this.#text(envelope);
    if (!isDefault) this.#content(content);
  }

  close(end: number, lines: number): void {
    this.#octet(CLOSING);
    this.#number(end - this.#place);
    this.#number(lines);
    this.#place = end;
  }

  finish(): Uint8Array {
    return new Uint8Array(this.#octets.subarray(0, this.#length));
  }

  #content(content: Content): void {
    let present = content.parameters.length > 0 ? HAS_PARAMETERS : 0;
    for (const [key, bit] of textBits) if (content[key] !== undefined) present |= bit;
    if (content.disposition) present |= HAS_DISPOSITION;
    if (content.language) present |= HAS_LANGUAGE;
    this.#octet(present);
    this.#text(content.type);
    this.#text(content.subtype);
    if (present & HAS_PARAMETERS) this.#parameters(content.parameters);
    for (const [key] of textBits) {
      const text = content[key];
      if (text !== undefined) this.#text(text);
    }
    if (content.disposition) {
      this.#text(content.disposition.type);
      this.#parameters(content.disposition.parameters);
    }
    if (content.language) {
      this.#number(content.language.length);
      for (const tag of content.language) this.#text(tag);
    }
  }

  #parameters(parameters: readonly Parameter[]): void {
    this.#number(parameters.length);
    for (const [name, value] of parameters) {
      this.#text(name);
      this.#text(value);
    }
  }

  #reserve(octets: number): void {
    if (this.#length + octets <= this.#octets.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#octets.length * 2, this.#length + octets));
    this.#octets.copy(grown, 0, 0, this.#length);
    this.#octets = grown;
  }

  #octet(value: number): void {
    this.#reserve(1);
    this.#octets[this.#length++] = value;
  }

  #number(value: number): void {
    this.#reserve(8);
    this.#length = writeVarint(this.#octets, this.#length, value);
  }

  #text(text: string): void {
    this.#number(text.length);
    this.#reserve(text.length);
    // Most texts are short; a call of Buffer.write costs more than this loop.
    let seen = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      seen |= code;
      this.#octets[this.#length++] = code;
    }
    if (seen > 127) this.isAscii = false;
  }
}

/** `text` has one character per octet. */
export function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/** Up to 2^53; division, because shifts end at 32 bits. Returns the place behind it. */
function writeVarint(octets: Uint8Array, at: number, value: number): number {
  while (value > 127) {
    octets[at++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  octets[at++] = value;
  return at;
}

class Reader {
  at = 0;
  readonly octets: Buffer;

  constructor(octets: Uint8Array) {
    this.octets = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  octet(): number {
    const value = this.octets[this.at++];
    if (value === undefined) throw broken();
    return value;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const octet = this.octet();
      value += (octet & 127) * factor;
      if (octet < 128) return value;
    }
    throw broken();
  }

  slice(): Buffer {
    const length = this.number();
    if (length > this.octets.length - this.at) throw broken();
    return this.octets.subarray(this.at, (this.at += length));
  }

  text(): string {
    return this.slice().toString('latin1');
  }

  list<T>(item: () => T): readonly T[] {
    const items: T[] = [];
    for (let count = this.number(); count > 0; count--) items.push(item());
    return items;
  }

  parameters(): readonly Parameter[] {
    return this.list(() => [this.text(), this.text()] as const);
  }
}

const broken = () => new MailError('CORRUPTION', 'The stored structure of the message is damaged');

function readContent(read: Reader): Content {
  const present = read.octet();
  const type = read.text();
  const subtype = read.text();
  const parameters = present & HAS_PARAMETERS ? read.parameters() : [];
  const texts: Partial<Record<(typeof textBits)[number][0], string>> = {};
  for (const [key, bit] of textBits) if (present & bit) texts[key] = read.text();
  const disposition: Disposition | undefined =
    present & HAS_DISPOSITION ? { type: read.text(), parameters: read.parameters() } : undefined;
  const language = present & HAS_LANGUAGE ? read.list(() => read.text()) : undefined;
  const { id, description, encoding, md5, location } = texts;
  return {
    type,
    subtype,
    parameters,
    id,
    description,
    encoding,
    md5,
    disposition,
    language,
    location,
  };
}

/** A part whose closing has not been read. */
interface Unfinished {
  readonly kind: PartKind;
  readonly header: Span;
  readonly content: Content;
  readonly children: PartTree[];
  /** ENVELOPE is stored with the nested message and shown with the part that holds it. */
  envelope: Uint8Array;
}

const noEnvelope = Buffer.from('(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)');

/**
 * `structure` of Facts as a tree.
 * @throws MailError CORRUPTION if it was not written by this version of the code, or is damaged
 */
export function decodeStructure(structure: Uint8Array): PartTree {
  const read = new Reader(structure);
  if (read.number() !== VERSION) throw broken();
  const open: Unfinished[] = [];
  for (let place = 0; ;) {
    const tag = read.octet();
    if (tag & OPENING) {
      const start = place + read.number();
      const end = start + read.number();
      place = end;
      const kind = kinds[tag & 3];
      if (!kind) throw broken();
      const holder = open.at(-1);
      if (tag & HAS_ENVELOPE) {
        const envelope = new Uint8Array(read.slice());
        if (holder) holder.envelope = envelope;
      }
      const content = tag & IS_DEFAULT ? defaultContent : readContent(read);
      open.push({ kind, header: { start, end }, content, children: [], envelope: noEnvelope });
      continue;
    }
    const part = open.pop();
    if (!part || tag !== CLOSING) throw broken();
    const { kind, header, content, children } = part;
    place += read.number();
    if (kind === 'multipart' && children.length === 0) children.push(emptyPart(header.end));
    const [child] = children;
    if (kind === 'message' && !child) throw broken();
    const tree: PartTree = {
      ...content,
      header,
      body: { start: header.end, end: place },
      lines: read.number(),
      children: kind === 'multipart' ? children : undefined,
      message: kind === 'message' && child ? { envelope: part.envelope, part: child } : undefined,
    };
    const parent = open.at(-1);
    if (!parent) return tree;
    parent.children.push(tree);
  }
}

const emptyPart = (at: number): PartTree => ({
  ...defaultContent,
  header: { start: at, end: at },
  body: { start: at, end: at },
  lines: 0,
  children: undefined,
  message: undefined,
});

/**
 * Where the header of the message itself lies, blank line included, without decoding the tree: most of what clients ask
 * for when they list a mailbox are fields of it.
 * @throws MailError CORRUPTION
 */
export function rootHeader(structure: Uint8Array): Span {
  const read = new Reader(structure);
  if (read.number() !== VERSION) throw broken();
  read.octet();
  const start = read.number();
  return { start, end: start + read.number() };
}

/** The stored form of the same message with `octets` more of header fields in front. */
export function growRootHeader(structure: Uint8Array, octets: number): Uint8Array {
  const read = new Reader(structure);
  if (read.number() !== VERSION) throw broken();
  read.octet();
  read.number();
  const from = read.at;
  const length = read.number() + octets;
  const varint = Buffer.allocUnsafe(8);
  const end = writeVarint(varint, 0, length);
  const parts = [structure.subarray(0, from), varint.subarray(0, end), structure.subarray(read.at)];
  return new Uint8Array(Buffer.concat(parts));
}

/** Type and subtype in lower case, `text/plain`. */
export const mediaType = ({ type, subtype }: Content): string => `${type}/${subtype}`.toLowerCase();
