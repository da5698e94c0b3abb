/** PREVIEW (RFC 8970): the first words of a message. */
import { decodeCharset } from './charset.ts';
import type { Content } from './content.ts';
import { htmlToText } from './html.ts';
import { parameterValue } from './parameters.ts';
import type { PartSink } from './scan.ts';
import { canDecode, createTransferDecoder } from './transfer-encoding.ts';

/** Characters (RFC 8970 section 3.1). */
const MAX_CHARACTERS = 200;
/** Octets of a part looked at. HTML of newsletters has its first word far behind its styles. */
const MAX_OCTETS = 16 * 1024;
const FIRST_LOOK = 2 * 1024;
/** Parts looked at until one has words. */
const MAX_PARTS = 3;

/** The start of a text part, as it passes by. */
class Excerpt {
  readonly #octets: Buffer[] = [];
  #length = 0;

  constructor(readonly content: Content) {}

  get wants(): boolean {
    return this.#length < MAX_OCTETS;
  }

  add(octets: Buffer): void {
    const piece = Buffer.from(octets.subarray(0, MAX_OCTETS - this.#length));
    this.#octets.push(piece);
    this.#length += piece.length;
  }

  /** Looks at a little first: mostly that is enough, and HTML to text is the slowest thing in a delivery. */
  text(): string {
    if (!canDecode(this.content.encoding ?? '7bit')) return '';
    const octets = Buffer.concat(this.#octets);
    const start = this.#textOf(octets.subarray(0, FIRST_LOOK));
    const isEnough = octets.length <= FIRST_LOOK || start.length >= MAX_CHARACTERS;
    return isEnough ? start : this.#textOf(octets);
  }

  #textOf(octets: Buffer): string {
    const { encoding = '7bit', parameters, subtype } = this.content;
    const decoded = createTransferDecoder(encoding).write(octets);
    const charset = parameterValue(parameters, 'charset') ?? 'us-ascii';
    const text = decodeCharset(wholeCharacters(decoded), charset);
    return cut(subtype.toLowerCase() === 'html' ? htmlToText(text) : text);
  }
}

/** A UTF-8 sequence cut in two at the end would make the whole text look like another charset. */
function wholeCharacters(octets: Buffer): Buffer {
  let end = octets.length;
  for (let back = 1; back <= 3 && back <= octets.length; back++) {
    const octet = octets[octets.length - back] as number;
    if (octet >= 0xc0) {
      const wanted = octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : 2;
      if (wanted > back) end -= back;
    }
    if (octet < 0x80 || octet >= 0xc0) break;
  }
  return octets.subarray(0, end);
}

/** White space and control characters become one space. Counts code points, so that no character is cut in two. */
function cut(text: string): string {
  let preview = '';
  let count = 0;
  let gap = false;
  for (const char of text) {
    const isGap =
      char <= ' ' ||
      char === '\u00a0' ||
      char === '\u007f' ||
      char === '\ufeff' ||
      char === '\u200b';
    if (isGap) {
      gap = preview !== '';
      continue;
    }
    if (gap && ++count <= MAX_CHARACTERS) preview += ' ';
    gap = false;
    if (++count > MAX_CHARACTERS) break;
    preview += char;
  }
  return preview.trimEnd();
}

/** Chooses and keeps, while the message passes by, what the preview is made of. */
export class PreviewReader implements PartSink {
  readonly #excerpts: Excerpt[] = [];
  #current: Excerpt | undefined;

  get wants(): boolean {
    return this.#current?.wants ?? false;
  }

  takeHeader(): void {}

  open(content: Content): void {
    const { type, subtype, disposition } = content;
    this.#current = undefined;
    const isText = type.toLowerCase() === 'text' && /^(?:plain|html|enriched)$/i.test(subtype);
    // "Unrecognized disposition types should be treated as attachment" (RFC 2183 section 2.8).
    const isAttachment = disposition && disposition.type.toLowerCase() !== 'inline';
    if (!isText || isAttachment || this.#excerpts.length >= MAX_PARTS) return;
    this.#current = new Excerpt(content);
    this.#excerpts.push(this.#current);
  }

  close(): void {
    this.#current = undefined;
  }

  add(octets: Buffer): void {
    if (octets.length > 0) this.#current?.add(octets);
  }

  /** At most 200 characters of the first part that has any; '' if none has. */
  preview(): string {
    for (const excerpt of this.#excerpts) {
      const text = excerpt.text();
      if (text !== '') return text;
    }
    return '';
  }
}
