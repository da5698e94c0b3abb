/** The Content- fields of one part, as BODYSTRUCTURE shows them (RFC 9051 section 7.5.2). */
import type { Field } from './header.ts';
import { unfold } from './header.ts';
import { parseParameters, type Parameter } from './parameters.ts';
import { Tokens } from './tokens.ts';

export interface Disposition {
  readonly type: string;
  readonly parameters: readonly Parameter[];
}

/** Texts have one character per octet, in the letter case of the sender. */
export interface Content {
  readonly type: string;
  readonly subtype: string;
  readonly parameters: readonly Parameter[];
  readonly id: string | undefined;
  readonly description: string | undefined;
  /** Content-Transfer-Encoding; without the field it is 7bit (RFC 2045 section 6.1). */
  readonly encoding: string | undefined;
  readonly md5: string | undefined;
  readonly disposition: Disposition | undefined;
  /** Tags of Content-Language (RFC 3282). */
  readonly language: readonly string[] | undefined;
  readonly location: string | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface ContentLimits {
  readonly maxParameters: number;
  /** Longest value kept. */
  readonly maxValueOctets: number;
}

const nothing: Content = {
  type: 'text',
  subtype: 'plain',
  parameters: [],
  id: undefined,
  description: undefined,
  encoding: undefined,
  md5: undefined,
  disposition: undefined,
  language: undefined,
  location: undefined,
};

/** No Content-Type (RFC 2045 section 5.2). */
export const defaultContent: Content = { ...nothing, parameters: [['charset', 'us-ascii']] };
/** No Content-Type within multipart/digest (RFC 2046 section 5.1.5). */
export const digestContent: Content = { ...nothing, type: 'message', subtype: 'rfc822' };
/** What is beyond a limit. */
export const opaqueContent: Content = { ...nothing, type: 'application', subtype: 'octet-stream' };

const isText = (type: string) => type.length === 4 && type.toLowerCase() === 'text';

/** Collects the Content- fields of one header block; of repeated fields the first counts, of Content-Disposition the last. */
export class ContentReader {
  #content: Mutable<Content> | undefined;
  #typed = false;

  constructor(
    readonly limits: ContentLimits,
    readonly inDigest: boolean,
  ) {}

  get content(): Content {
    const missing = this.inDigest ? digestContent : defaultContent;
    const content = this.#content;
    if (!content) return missing;
    if (this.#typed) return content;
    return {
      ...content,
      type: missing.type,
      subtype: missing.subtype,
      parameters: missing.parameters,
    };
  }

  /** `name` in lower case. */
  take(name: string, field: Field): void {
    switch (name) {
      case 'content-type':
        return this.#takeType(field.value);
      case 'content-id':
        return this.#takeText('id', field.value);
      case 'content-description':
        return this.#takeText('description', field.value);
      case 'content-md5':
        return this.#takeText('md5', field.value);
      case 'content-location':
        return this.#takeText('location', field.value);
      case 'content-transfer-encoding':
        return this.#takeEncoding(field.value);
      case 'content-disposition':
        return this.#takeDisposition(field.value);
      case 'content-language':
        return this.#takeLanguage(field.value);
    }
  }

  get #kept(): Mutable<Content> {
    return (this.#content ??= { ...nothing });
  }

  #parameters(tokens: Tokens): readonly Parameter[] {
    const { maxParameters, maxValueOctets } = this.limits;
    const parameters = parseParameters(tokens, maxParameters);
    if (parameters.every(([name, value]) => name.length + value.length <= maxValueOctets))
      return parameters;
    return parameters.map(([name, value]) => [
      name.slice(0, maxValueOctets),
      value.slice(0, maxValueOctets),
    ]);
  }

  #takeType(value: string): void {
    if (this.#typed) return;
    const tokens = new Tokens(value);
    tokens.skip();
    const type = tokens.token();
    if (type === undefined || !tokens.take('/')) return;
    // `text/` leaves the subtype open.
    const subtype = tokens.token() ?? (isText(type) ? 'plain' : undefined);
    if (subtype === undefined) return;
    const kept = this.#kept;
    this.#typed = true;
    kept.type = type.slice(0, this.limits.maxValueOctets);
    kept.subtype = subtype.slice(0, this.limits.maxValueOctets);
    kept.parameters = this.#parameters(tokens);
    if (isText(type) && !kept.parameters.some(([name]) => name.toLowerCase() === 'charset')) {
      // RFC 2046 section 4.1.2.
      kept.parameters = [...kept.parameters, ['charset', 'us-ascii']];
    }
  }

  #takeText(key: 'id' | 'description' | 'md5' | 'location', value: string): void {
    this.#kept[key] ??= unfold(value).trimEnd().slice(0, this.limits.maxValueOctets);
  }

  #takeEncoding(value: string): void {
    const tokens = new Tokens(value);
    tokens.skip();
    const encoding = tokens.token();
    if (encoding !== undefined && tokens.done) {
      this.#kept.encoding ??= encoding.slice(0, this.limits.maxValueOctets);
    }
  }

  #takeDisposition(value: string): void {
    const tokens = new Tokens(value);
    tokens.skip();
    const type = tokens.token();
    if (type === undefined) return;
    this.#kept.disposition = {
      type: type.slice(0, this.limits.maxValueOctets),
      parameters: this.#parameters(tokens),
    };
  }

  #takeLanguage(value: string): void {
    if (this.#kept.language) return;
    const tokens = new Tokens(value, Math.min(value.length, this.limits.maxValueOctets));
    tokens.skip();
    const tags: string[] = [];
    do {
      const tag = tokens.atom();
      if (tag === undefined) break;
      tags.push(tag);
    } while (tokens.take(','));
    if (tags.length > 0) this.#kept.language = tags;
  }
}
