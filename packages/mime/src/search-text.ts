/** The text of a message as SEARCH compares it (RFC 9051 section 6.4.4): decoded, HTML as text, folded. */
import { decodeCharset } from './charset.ts';
import type { Content } from './content.ts';
import { decodeEncodedWords } from './encoded-words.ts';
import { foldText } from './fold.ts';
import { collapse, fieldsOf } from './header.ts';
import { htmlToText } from './html.ts';
import { parameterValue } from './parameters.ts';
import { MessageScanner, scanLimits, type PartSink, type ScanOptions } from './scan.ts';
import { canDecode, createTransferDecoder, type TransferDecoder } from './transfer-encoding.ts';

export interface SearchField {
  /** In lower case. */
  readonly name: string;
  /** Decoded, unfolded, white space as one space, folded by `foldText`. */
  readonly value: string;
}

export interface SearchText {
  /** Of the message itself, in order. */
  readonly header: readonly SearchField[];
  /** Of its parts, those of nested messages included. */
  readonly partHeaders: readonly SearchField[];
  /** Of each text part in order, nested messages included; folded, line ends LF. */
  readonly body: readonly string[];
}

export interface SearchTextOptions extends ScanOptions {
  /** Octets of decoded text kept of one message; what is behind them is not found. Default 64 MiB. */
  readonly maxTextOctets?: number;
}

/** Reads all of `octets`; keeps the text only. Throws what `octets` throws. */
export async function searchText(
  octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: SearchTextOptions = {},
): Promise<SearchText> {
  const reader = new TextReader(options.maxTextOctets ?? 64 * 1024 * 1024);
  const scanner = new MessageScanner(scanLimits(options), reader);
  for await (const chunk of octets) scanner.write(chunk);
  scanner.finish();
  return reader;
}

/** The same of a header alone. */
export function searchHeader(header: Uint8Array): readonly SearchField[] {
  return foldFields(Buffer.from(header).toString('latin1'));
}

function foldFields(header: string): SearchField[] {
  return Array.from(fieldsOf(header), ({ name, value }) => ({
    name: name.toLowerCase(),
    value: foldText(collapse(decodeEncodedWords(collapse(value)))),
  }));
}

/**
 * HTML of a message up to here, all parts together, is read as a browser would; what follows is searched as it is written. A
 * MiB takes a second.
 */
const MAX_HTML = 1024 * 1024;

class TextReader implements PartSink, SearchText {
  header: readonly SearchField[] = [];
  readonly partHeaders: SearchField[] = [];
  readonly body: string[] = [];
  #left: number;
  #htmlLeft = MAX_HTML;
  #content: Content | undefined;
  #decoder: TransferDecoder | undefined;
  #octets: Buffer[] = [];

  constructor(maxOctets: number) {
    this.#left = maxOctets;
  }

  get wants(): boolean {
    return this.#decoder !== undefined && this.#left > 0;
  }

  takeHeader(header: string, isRoot: boolean): void {
    const fields = foldFields(header);
    if (isRoot) this.header = fields;
    else this.partHeaders.push(...fields);
  }

  open(content: Content): void {
    const type = content.type.toLowerCase();
    const encoding = content.encoding ?? '7bit';
    // message/delivery-status and its like are text as well.
    if ((type !== 'text' && type !== 'message') || !canDecode(encoding)) return;
    this.#content = content;
    this.#decoder = createTransferDecoder(encoding);
  }

  add(octets: Buffer): void {
    if (this.#decoder) this.#keep(this.#decoder.write(octets));
  }

  #keep(octets: Buffer): void {
    const kept = octets.subarray(0, this.#left);
    this.#left -= kept.length;
    // A decoder may hand out the memory of the caller.
    if (kept.length > 0) this.#octets.push(Buffer.from(kept));
  }

  preview(): string {
    return '';
  }

  close(): void {
    if (!this.#decoder || !this.#content) return;
    this.#keep(this.#decoder.finish());
    const octets = Buffer.concat(this.#octets);
    const { subtype, parameters } = this.#content;
    let text = decodeCharset(octets, parameterValue(parameters, 'charset') ?? 'us-ascii');
    if (subtype.toLowerCase() === 'html') {
      const read = Math.min(text.length, this.#htmlLeft);
      this.#htmlLeft -= read;
      text = htmlToText(text.slice(0, read)) + text.slice(read);
    }
    text = text.replaceAll('\r\n', '\n');
    if (text !== '') this.body.push(foldText(text));
    this.#content = this.#decoder = undefined;
    this.#octets = [];
  }
}
