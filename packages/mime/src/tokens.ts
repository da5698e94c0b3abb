/**
 * The lexical tokens of structured header fields (RFC 5322 section 3.2, RFC 2045 section 5.1). Works on text with one
 * character per octet, goes forward only, and is as lenient as mail in the wild needs: octets above 127 are atext.
 */

const ATEXT = 1;
const TOKEN = 2;
const VALUE = 4;

/** What an octet may be part of. */
const classes = new Uint8Array(256);
for (let octet = 33; octet < 256; octet++) {
  if (octet === 127) continue;
  const char = String.fromCharCode(octet);
  if (!'()<>@,;:\\".[]'.includes(char)) classes[octet] = ATEXT;
  // RFC 2045 forbids octets above 127 in a token, but names of attachments come that way.
  if (!'()<>@,;:\\"/[]?='.includes(char)) classes[octet] = (classes[octet] ?? 0) | TOKEN;
  if (!'();"\\'.includes(char)) classes[octet] = (classes[octet] ?? 0) | VALUE;
}

const isClass = (code: number, wanted: number) => ((classes[code] ?? 0) & wanted) !== 0;
export const isSpace = (code: number) => code === 32 || code === 9 || code === 13 || code === 10;

export class Tokens {
  position = 0;
  /** Content of the comment that was read last; ENVELOPE uses it as a display name. */
  comment = '';

  constructor(
    readonly text: string,
    readonly end = text.length,
  ) {}

  get done(): boolean {
    return this.position >= this.end;
  }

  /** The character at the position, '' at the end. */
  get next(): string {
    return this.position < this.end ? this.text.charAt(this.position) : '';
  }

  isAt(char: string): boolean {
    return this.next === char;
  }

  /** Steps over `char` and the white space behind it, if it is the next one. */
  take(char: string): boolean {
    if (!this.isAt(char)) return false;
    this.position++;
    this.skip();
    return true;
  }

  /** Goes to the next `char` outside of nothing in particular: the way out of a syntax error. */
  seek(char: string): void {
    const at = this.text.indexOf(char, this.position);
    this.position = at === -1 || at > this.end ? this.end : at;
  }

  /** Passes white space and comments (CFWS). False: a comment does not end, and the rest of the text is gone with it. */
  skip(): boolean {
    for (; this.position < this.end; this.position++) {
      const code = this.text.charCodeAt(this.position);
      if (code === 40) {
        if (!this.#skipComment()) return false;
        this.position--;
      } else if (!isSpace(code)) break;
    }
    return true;
  }

  #skipComment(): boolean {
    let depth = 0;
    let comment = '';
    let from = this.position + 1;
    for (; this.position < this.end; this.position++) {
      const code = this.text.charCodeAt(this.position);
      if (code === 40) depth++;
      else if (code === 41) {
        if (--depth > 0) continue;
        this.comment = comment + this.text.slice(from, this.position++);
        return true;
      } else if (code === 92 || code === 13 || code === 10) {
        // A quoted pair loses its backslash, a folded line its line end.
        comment += this.text.slice(from, this.position);
        if (code === 92) this.position++;
        from = this.position + (code === 92 ? 0 : 1);
      }
    }
    this.position = this.end;
    return false;
  }

  #run(wanted: number, alsoDot: boolean): string {
    const from = this.position;
    for (; this.position < this.end; this.position++) {
      const code = this.text.charCodeAt(this.position);
      if (!isClass(code, wanted) && !(alsoDot && code === 46)) break;
    }
    return this.text.slice(from, this.position);
  }

  #spaced(value: string): string | undefined {
    if (value === '') return undefined;
    return this.skip() ? value : undefined;
  }

  /** `atom`, then CFWS. */
  atom(): string | undefined {
    return this.#spaced(this.#run(ATEXT, false));
  }

  /** `token` of MIME, then CFWS. */
  token(): string | undefined {
    return this.#spaced(this.#run(TOKEN, false));
  }

  /** The value of a parameter that ought to be quoted and is not: `name==?utf-8?B?YQ==?=`, `type=text/html`. Then CFWS. */
  unquoted(): string | undefined {
    return this.#spaced(this.#run(VALUE, false));
  }

  /** `quoted-string`, then CFWS; undefined if it does not end. Line ends of folding are taken out. */
  quoted(): string | undefined {
    if (!this.isAt('"')) return undefined;
    let value = '';
    let from = ++this.position;
    for (; this.position < this.end; this.position++) {
      const code = this.text.charCodeAt(this.position);
      if (code === 34) {
        value += this.text.slice(from, this.position++);
        return this.skip() ? value : undefined;
      }
      if (code === 92) {
        value += this.text.slice(from, this.position++);
        from = this.position;
      } else if (code === 13 || code === 10) {
        value += this.text.slice(from, this.position);
        from = this.position + 1;
      }
    }
    return undefined;
  }

  /** `dot-atom`, with the white space around dots that RFC 822 allowed. */
  dotAtom(): string | undefined {
    let value = this.atom();
    while (value !== undefined && this.take('.')) {
      const more = this.atom();
      value = more === undefined ? undefined : `${value}.${more}`;
    }
    return value;
  }

  /**
   * `word *("." word)`: dot-atom, quoted-string, and what older mail mixed of both. Dots may stand anywhere: Japanese
   * carriers gave their customers addresses like `a..b@` and `a.@`, and an answer has to reach them.
   */
  localPart(): string | undefined {
    let value = '';
    for (;;) {
      while (this.take('.')) value += '.';
      const from = this.position;
      const word = this.isAt('"') ? this.quoted() : this.atom();
      if (word === undefined && this.position > from) return undefined;
      if (word !== undefined) value += word;
      if (word === undefined || !this.isAt('.')) return word === '' || value ? value : undefined;
    }
  }

  /** `dot-atom` or `domain-literal`, brackets included. */
  domain(): string | undefined {
    if (!this.isAt('[')) return this.dotAtom();
    const close = this.text.indexOf(']', this.position);
    if (close === -1 || close >= this.end) return undefined;
    const literal = this.text.slice(this.position, close + 1);
    this.position = close + 1;
    return this.#spaced(
      Array.from(literal, (char) => (isSpace(char.charCodeAt(0)) ? '' : char)).join(''),
    );
  }

  /** `phrase`: words joined by one space, dots allowed (obs-phrase). '' if there is none. Undefined: not a phrase. */
  phrase(): string | undefined {
    if (this.isAt('.')) return undefined;
    let value = '';
    while (!this.done) {
      const isQuoted = this.isAt('"');
      const word = isQuoted ? this.quoted() : this.#run(ATEXT, true);
      if (word === undefined) return undefined;
      if (!isQuoted && word === '') break;
      if (!isQuoted && !this.skip()) return undefined;
      value = value === '' ? word : `${value} ${word}`;
    }
    return value;
  }
}
