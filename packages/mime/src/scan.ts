/**
 * The one pass over a message while it arrives. Finds every part and its offsets, and reads the headers; of bodies it
 * keeps nothing but the start of the first text. Boundaries: RFC 2046 section 5.1.1.
 */
import type { Facts } from '@mail-server-kit/core';
import { asBuffer } from './charset.ts';
import type { Content } from './content.ts';
import { parseDate } from './date.ts';
import { Boundaries, MAX_DELIMITER, type Delimiter } from './delimiter.ts';
import { EnvelopeReader } from './envelope.ts';
import { parseMessageIds, referencesOf } from './message-id.ts';
import { opaqueHeader, parsePartHeader, type PartHeader } from './part-header.ts';
import { PreviewReader } from './preview.ts';
import { StructureWriter, isAscii, type PartKind } from './structure.ts';
import { baseSubject } from './subject.ts';

/** Changes whenever the same octets give other facts. */
export const FACTS_VERSION = 1;

/** What is beyond a limit becomes one part of type application/octet-stream; no message is refused. */
export interface ScanOptions {
  /** Parts within parts, the message itself being the first; at most 200. Default 100. */
  readonly maxDepth?: number;
  /** Parts of the message, however nested. Default 10,000. */
  readonly maxParts?: number;
  /** Of one header block, of the message or of a part. Default 256 KiB. */
  readonly maxHeaderOctets?: number;
  /** Addresses kept of each field of ENVELOPE. Default 1,000. */
  readonly maxAddresses?: number;
  /** Parameters kept of each Content-Type and Content-Disposition. Default 100. */
  readonly maxParameters?: number;
  /** Longest text kept in ENVELOPE and BODYSTRUCTURE. Default 8 KiB. */
  readonly maxValueOctets?: number;
  /** Of the stored part tree. Default 4 MiB. */
  readonly maxStructureOctets?: number;
}

export interface Scanner {
  /** The chunk is not kept; its memory may be used again. */
  write(chunk: Uint8Array): void;
  /** Once, at the end. */
  finish(): Facts;
}

const defaults: Required<ScanOptions> = {
  maxDepth: 100,
  maxParts: 10_000,
  maxHeaderOctets: 256 * 1024,
  maxAddresses: 1000,
  maxParameters: 100,
  maxValueOctets: 8 * 1024,
  maxStructureOctets: 4 * 1024 * 1024,
};

export function createScanner(options: ScanOptions = {}): Scanner {
  return new MessageScanner(scanLimits(options), new PreviewReader());
}

export function scanLimits(options: ScanOptions): Required<ScanOptions> {
  const limits = { ...defaults, ...options };
  return { ...limits, maxDepth: Math.min(limits.maxDepth, 200) };
}

/** Who wants to know what passes by, besides the structure. */
export interface PartSink {
  /** False: the octets of the present part are of no interest. */
  readonly wants: boolean;
  /** The header of the message, or of a part or nested message, one character per octet. */
  takeHeader(header: string, isRoot: boolean): void;
  /** A part begins that has no parts of its own. */
  open(content: Content): void;
  /** Octets of its body; the line end in front of a delimiter may be among them. */
  add(octets: Buffer): void;
  close(): void;
  /** Of the whole message, at its end. */
  preview(): string;
}

const LF = 10;
const CR = 13;
const DASH = 45;

/** A part whose end has not come. */
interface OpenPart {
  readonly kind: PartKind;
  readonly isDigest: boolean;
  /** Undefined: none, or its last delimiter has passed. */
  boundary: string | undefined;
  /** Lines of the message before its body. */
  readonly linesBefore: number;
}

const WAIT = Symbol('more octets are needed');

export class MessageScanner implements Scanner {
  readonly #limits: Required<ScanOptions>;
  readonly #structure = new StructureWriter();
  readonly #sink: PartSink;
  readonly #open: OpenPart[] = [];
  readonly #boundaries = new Boundaries();
  #envelope: EnvelopeReader | undefined;

  #mode: 'header' | 'blank line' | 'body' | 'delimiter' = 'header';
  /** Offset in the message of the first octet of the present chunk. */
  #base = 0;
  /** The start of a line that cannot be judged before more of it is there. */
  #held: Buffer | undefined;
  /** Where in the present chunk that line starts. */
  #waitFrom: number | undefined;
  /** The last octet before the present chunk. */
  #before = 0;
  #atLineStart = true;
  /** Length of the line end right before, if it belongs to the present header or body. */
  #lineEnd = 0;
  #lines = 0;
  #parts = 1;

  #header = '';
  #headerStart = 0;
  #isHeaderTooLong = false;
  /** After the present delimiter line a part begins. */
  #isPartNext = false;

  constructor(limits: Required<ScanOptions>, sink: PartSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  write(chunk: Uint8Array): void {
    this.#run(this.#held ? Buffer.concat([this.#held, chunk]) : asBuffer(chunk), false);
  }

  finish(): Facts {
    this.#run(this.#held ?? Buffer.alloc(0), true);
    const size = this.#base;
    while (this.#mode === 'header' || this.#mode === 'blank line') {
      this.#beginContent(this.#parseHeader(), size);
    }
    while (this.#open.length > 0) this.#closePart(size, this.#lines);
    return this.#facts();
  }

  #run(octets: Buffer, isLast: boolean): void {
    this.#held = undefined;
    let at = 0;
    while (at < octets.length) {
      const next = this.#step(octets, at, isLast);
      if (next === WAIT) break;
      at = next;
    }
    const end = this.#waitFrom ?? octets.length;
    this.#waitFrom = undefined;
    if (end < octets.length) this.#held = Buffer.from(octets.subarray(end));
    if (end > 0) this.#before = octets[end - 1] as number;
    this.#base += end;
  }

  #step(octets: Buffer, at: number, isLast: boolean): number | typeof WAIT {
    switch (this.#mode) {
      case 'header':
        return this.#readHeader(octets, at, isLast);
      case 'blank line':
        return this.#beginBody(octets, at, isLast);
      case 'body':
        return this.#readBody(octets, at, isLast);
      case 'delimiter':
        return this.#readDelimiter(octets, at);
    }
  }

  #wait(at: number): typeof WAIT {
    this.#waitFrom = at;
    return WAIT;
  }

  /** Notes the line end at `at` and returns the start of the next line. */
  #passLineEnd(octets: Buffer, at: number): number {
    this.#lines++;
    this.#lineEnd = (at > 0 ? octets[at - 1] : this.#before) === CR ? 2 : 1;
    this.#atLineStart = true;
    return at + 1;
  }

  #readHeader(octets: Buffer, from: number, isLast: boolean): number | typeof WAIT {
    for (let at = from; ;) {
      if (at >= octets.length) {
        this.#keepHeader(octets, from, at);
        return at;
      }
      if (this.#atLineStart) {
        const blank = blankLine(octets, at, isLast);
        const delimiter = blank === 0 ? this.#delimiterAt(octets, at, isLast) : undefined;
        if (blank === WAIT || delimiter === WAIT) {
          this.#keepHeader(octets, from, at);
          return this.#wait(at);
        }
        if (blank > 0) {
          this.#keepHeader(octets, from, at);
          this.#mode = 'blank line';
          return this.#passLineEnd(octets, at + blank - 1);
        }
        if (delimiter) {
          this.#keepHeader(octets, from, at);
          return this.#endAtDelimiter(this.#parseHeader(), delimiter, at);
        }
      }
      const lineEnd = octets.indexOf(LF, at);
      if (lineEnd === -1) {
        this.#atLineStart = false;
        at = octets.length;
      } else at = this.#passLineEnd(octets, lineEnd);
    }
  }

  /**
   * A header and its blank line are over. If a delimiter follows at once, the line end of the blank line is part of the
   * delimiter, and the part is nothing but a header: `body-part := MIME-part-headers [CRLF *OCTET]` (RFC 2046 section 5.1.1).
   */
  #beginBody(octets: Buffer, at: number, isLast: boolean): number | typeof WAIT {
    let delimiter = this.#delimiterAt(octets, at, isLast);
    if (delimiter === WAIT) return this.#wait(at);
    const header = this.#parseHeader();
    // It may be this part's own, which then bears the name of an outer one or begins with it.
    const own = header.boundary;
    if (delimiter && own && delimiter.line.startsWith(own)) delimiter = undefined;
    if (delimiter) return this.#endAtDelimiter(header, delimiter, at);
    this.#lineEnd = 0;
    this.#beginContent(header, this.#base + at);
    return at;
  }

  /** A header ends with the line in front of a delimiter, and with it its part. */
  #endAtDelimiter(header: PartHeader, delimiter: Delimiter, at: number): number {
    const lineEnd = this.#lineEnd;
    const end = this.#base + at - lineEnd;
    this.#beginContent(header, end);
    while (this.#mode === 'header') this.#beginContent(this.#parseHeader(), end);
    this.#lineEnd = lineEnd;
    return this.#passDelimiter(delimiter, at);
  }

  #keepHeader(octets: Buffer, from: number, end: number): void {
    if (this.#isHeaderTooLong) return;
    this.#isHeaderTooLong = this.#header.length + end - from > this.#limits.maxHeaderOctets;
    this.#header += octets.toString(
      'latin1',
      from,
      Math.min(end, from + this.#limits.maxHeaderOctets - this.#header.length),
    );
  }

  #readBody(octets: Buffer, from: number, isLast: boolean): number | typeof WAIT {
    const hasBoundary = !this.#boundaries.isEmpty;
    for (let at = from; ;) {
      if (hasBoundary && this.#atLineStart && octets[at] === DASH) {
        const delimiter = this.#delimiterAt(octets, at, isLast);
        if (delimiter) {
          if (this.#sink.wants) this.#sink.add(octets.subarray(from, at));
          return delimiter === WAIT ? this.#wait(at) : this.#passDelimiter(delimiter, at);
        }
      }
      const lineEnd = octets.indexOf(LF, at);
      if (lineEnd === -1) {
        this.#atLineStart &&= at >= octets.length;
        if (this.#sink.wants) this.#sink.add(octets.subarray(from));
        return octets.length;
      }
      at = this.#passLineEnd(octets, lineEnd);
    }
  }

  /** The rest of a delimiter line means nothing (RFC 2046 section 5.1.1: transport padding). */
  #readDelimiter(octets: Buffer, at: number): number {
    const lineEnd = octets.indexOf(LF, at);
    if (lineEnd === -1) return octets.length;
    const next = this.#passLineEnd(octets, lineEnd);
    if (this.#isPartNext) this.#beginPart(this.#base + next);
    else this.#mode = 'body';
    return next;
  }

  /** The delimiter that the line at `at` is, undefined if it is none. */
  #delimiterAt(octets: Buffer, at: number, isLast: boolean): Delimiter | undefined | typeof WAIT {
    if (this.#boundaries.isEmpty || octets[at] !== DASH) return undefined;
    if (at + 1 >= octets.length) return isLast ? undefined : WAIT;
    if (octets[at + 1] !== DASH) return undefined;
    const start = at + 2;
    const limit = start + MAX_DELIMITER;
    const lineEnd = octets.subarray(0, limit).indexOf(LF, start);
    if (lineEnd === -1 && octets.length < limit && !isLast) return WAIT;
    let end = lineEnd === -1 ? Math.min(octets.length, limit) : lineEnd;
    if (lineEnd !== -1 && end > start && octets[end - 1] === CR) end--;
    return this.#boundaries.find(octets.toString('latin1', start, end));
  }

  /** Ends the parts within the one whose delimiter stands at `at`; returns where to go on. */
  #passDelimiter({ index, isLast }: Delimiter, at: number): number {
    // "The CRLF preceding the boundary delimiter line is conceptually attached to the boundary" (RFC 2046 section 5.1.1).
    const end = this.#base + at - this.#lineEnd;
    const lines = this.#lines - (this.#lineEnd > 0 ? 1 : 0);
    while (this.#open.length > index + 1) this.#closePart(end, lines);
    const multipart = this.#open[index];
    if (multipart?.boundary !== undefined && isLast) {
      this.#boundaries.remove(multipart.boundary);
      multipart.boundary = undefined;
    }
    this.#mode = 'delimiter';
    this.#isPartNext = !isLast;
    this.#atLineStart = false;
    return at + 2;
  }

  #beginPart(start: number): void {
    this.#headerStart = start;
    this.#lineEnd = 0;
    this.#mode = 'header';
    this.#parts++;
    const { maxParts, maxStructureOctets } = this.#limits;
    if (this.#parts < maxParts && this.#structure.length < maxStructureOctets) return;
    // No room for more: the rest of the message is one part, whatever boundaries it has.
    for (const part of this.#open) part.boundary = undefined;
    this.#boundaries.clear();
    this.#pushPart(opaqueHeader, start);
  }

  #parseHeader(): PartHeader {
    const holder = this.#open.at(-1);
    const place = {
      isMessage: !holder || holder.kind === 'message',
      inDigest: holder?.isDigest ?? false,
      isDeepest: this.#open.length + 1 >= this.#limits.maxDepth,
      isTooLong: this.#isHeaderTooLong,
    };
    const header = parsePartHeader(this.#header, place, this.#limits);
    if (!holder) this.#envelope = header.envelope;
    this.#sink.takeHeader(this.#header, !holder);
    this.#header = '';
    this.#isHeaderTooLong = false;
    return header;
  }

  #beginContent(header: PartHeader, bodyStart: number): void {
    this.#pushPart(header, bodyStart);
    if (header.kind === 'message') this.#beginPart(bodyStart);
  }

  #pushPart({ kind, content, boundary, envelope }: PartHeader, bodyStart: number): void {
    const nested = this.#open.length > 0 ? envelope?.render() : undefined;
    this.#structure.open(kind, { start: this.#headerStart, end: bodyStart }, content, nested);
    if (boundary !== undefined) this.#boundaries.add(boundary, this.#open.length);
    this.#open.push({
      kind,
      isDigest: kind === 'multipart' && content.subtype.toLowerCase() === 'digest',
      boundary,
      linesBefore: this.#lines,
    });
    if (kind === 'leaf') this.#sink.open(content);
    this.#mode = 'body';
  }

  #closePart(end: number, lines: number): void {
    const part = this.#open.pop();
    if (!part) return;
    if (part.boundary !== undefined) this.#boundaries.remove(part.boundary);
    if (part.kind === 'leaf') this.#sink.close();
    this.#structure.close(end, Math.max(0, lines - part.linesBefore));
  }

  #facts(): Facts {
    const root = this.#envelope ?? new EnvelopeReader(this.#limits);
    const envelope = root.render();
    const structure = this.#structure.finish();
    const { from, to, cc } = root.addresses;
    return {
      version: FACTS_VERSION,
      envelope: new Uint8Array(Buffer.from(envelope, 'latin1')),
      structure,
      ascii: this.#structure.isAscii && isAscii(envelope),
      preview: this.#sink.preview(),
      sort: {
        sentDate: parseDate(root.date ?? '')?.time ?? 0,
        subject: baseSubject(root.subject ?? '').text,
        from: from?.[0]?.mailbox ?? '',
        to: to?.[0]?.mailbox ?? '',
        cc: cc?.[0]?.mailbox ?? '',
      },
      thread: {
        messageId: parseMessageIds(root.messageId ?? '')[0] ?? '',
        references: referencesOf(root.references, root.inReplyTo ?? ''),
      },
    };
  }
}

/** Octets of the blank line at `at`, 0 if it is none. */
function blankLine(octets: Buffer, at: number, isLast: boolean): number | typeof WAIT {
  if (octets[at] === LF) return 1;
  if (octets[at] !== CR) return 0;
  if (at + 1 >= octets.length) return isLast ? 0 : WAIT;
  return octets[at + 1] === LF ? 2 : 0;
}
