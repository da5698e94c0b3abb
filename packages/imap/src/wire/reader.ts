/**
 * The grammar of RFC 9051 section 9 as a cursor over one command that is there as a whole, literals included. Every method
 * reads one production from where the cursor stands and throws Problem, naming the octet, if something else is there.
 * Linear: no method looks at an octet more than a fixed number of times. What nests is counted by `nested`.
 */
import { systemFlags } from '@mail-server-kit/core';
import { isUtf8 } from 'node:buffer';
import { parseDate, parseDateTime, type DateTime } from './date.ts';
import { Problem } from './problem.ts';
import { mailboxOfUtf7 } from './utf7.ts';

/** `*` in a sequence set: the largest number in use. */
export const LAST = Infinity;

/** `$`, or pairs of numbers, of which either may be LAST and the larger may come first. */
export type SequenceSet = '$' | readonly (readonly [number, number])[];

/** Octets of a keyword. */
const LONGEST_FLAG = 200;

const settable = new Set(systemFlags.map((flag) => flag.toLowerCase()));

const SP = 32;
const DQUOTE = 34;
const BACKSLASH = 92;
const OPEN = 40;
const CLOSE = 41;

const ATOM = 1;
const ASTRING = 2;
const LIST = 4;
const TAG = 8;
const DIGIT = 16;
const LETTER = 32;

/** Which productions an octet may be part of. */
const classes = new Uint8Array(256);
for (let octet = 33; octet < 127; octet++) {
  const character = String.fromCharCode(octet);
  let kind = ATOM | ASTRING | LIST | TAG;
  if ('(){"\\'.includes(character)) kind = 0;
  if ('%*'.includes(character)) kind = LIST;
  // resp-specials: not in an atom, but in an astring (RFC 9051 section 9).
  if (character === ']') kind = ASTRING | LIST | TAG;
  if (character === '+') kind &= ~TAG;
  if (character >= '0' && character <= '9') kind |= DIGIT;
  if (/[A-Za-z]/.test(character)) kind |= LETTER;
  classes[octet] = kind;
}

const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface ReaderOptions {
  /** Mailbox names are UTF-8: after ENABLE of IMAP4rev2 or UTF8=ACCEPT. Otherwise they are modified UTF-7. */
  readonly utf8Names?: boolean;
  /** How deep parentheses and search keys may nest. */
  readonly depth?: number;
  /** Where the cursor stands at first. */
  readonly at?: number;
}

export class Reader {
  /** Mailbox names that were not in NFC: as they are now, and as they were sent (RFC 9051 section 5.1). */
  readonly oldNames = new Map<string, string>();
  #at: number;
  #depth = 0;
  readonly #octets: Buffer;
  readonly #utf8Names: boolean;
  readonly #deepest: number;

  constructor(octets: Buffer, { utf8Names = false, depth = 64, at = 0 }: ReaderOptions = {}) {
    this.#at = at;
    this.#octets = octets;
    this.#utf8Names = utf8Names;
    this.#deepest = depth;
  }

  /** The octet under the cursor as a character; empty at the end. */
  get next(): string {
    return this.atEnd ? '' : String.fromCharCode(this.#octets[this.#at] as number);
  }

  get atEnd(): boolean {
    return this.#at >= this.#octets.length;
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.atEnd) throw this.problem('the end of the command');
  }

  problem(expected: string): Problem {
    const found = this.atEnd ? 'the end' : printable(this.#octets[this.#at] as number);
    const text = `Expected ${expected}, found ${found} at octet ${this.#at + 1}`;
    return new Problem(text, undefined, this.atEnd);
  }

  /** Runs `inner` one level deeper. */
  nested<T>(inner: () => T): T {
    if (++this.#depth > this.#deepest) throw new Problem('Nested too deeply', 'LIMIT');
    const value = inner();
    this.#depth--;
    return value;
  }

  sp(): void {
    if (!this.skip(' ')) throw this.problem('a space');
  }

  /** Steps over `character` if it is next. */
  skip(character: string): boolean {
    if (this.atEnd || this.#octets[this.#at] !== character.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  expect(character: string): void {
    if (!this.skip(character)) throw this.problem(`"${character}"`);
  }

  tag(): string {
    return this.#run(TAG, 'a tag');
  }

  atom(expected = 'an atom'): string {
    return this.#run(ATOM, expected);
  }

  /** An atom in upper case: names of commands, items and options are case-insensitive. */
  keyword(expected = 'a name'): string {
    return this.atom(expected).toUpperCase();
  }

  /** Letters, digits, `.` and `-` up to anything else, in upper case: the name in `BODY.PEEK[...`. */
  name(expected = 'a name'): string {
    const start = this.#at;
    while (!this.atEnd) {
      const octet = this.#octets[this.#at] as number;
      if ((kindOf(octet) & (LETTER | DIGIT)) === 0 && octet !== 46 && octet !== 45) break;
      this.#at++;
    }
    if (this.#at === start) throw this.problem(expected);
    return this.#octets.toString('latin1', start, this.#at).toUpperCase();
  }

  /** Steps over `word`, in any letter case, if it is next and ends there. */
  skipWord(word: string): boolean {
    const end = this.#at + word.length;
    if (end > this.#octets.length) return false;
    if (this.#octets.toString('latin1', this.#at, end).toUpperCase() !== word) return false;
    if (end < this.#octets.length && (kindOf(this.#octets[end] as number) & ATOM) !== 0) {
      return false;
    }
    this.#at = end;
    return true;
  }

  /** `number`, up to 2^53 - 1. */
  number(expected = 'a number'): number {
    const start = this.#at;
    const text = this.#run(DIGIT, expected);
    const value = text.length > 16 ? Infinity : Number(text);
    if (!Number.isSafeInteger(value)) {
      this.#at = start;
      throw this.problem(`${expected} that is not so large`);
    }
    return value;
  }

  /** `number64` and `mod-sequence-valzer`: what is above 2^53 - 1, which nothing here reaches, is 2^53 - 1. */
  number64(expected = 'a number'): number {
    return Math.min(Number(this.#run(DIGIT, expected)), Number.MAX_SAFE_INTEGER);
  }

  nzNumber(expected = 'a number above 0'): number {
    const start = this.#at;
    const value = this.number(expected);
    if (value > 0) return value;
    this.#at = start;
    throw this.problem(expected);
  }

  /** `astring` as octets. */
  astringOctets(expected = 'a string'): Buffer {
    if (this.#startsString()) return this.stringOctets(expected);
    const start = this.#at;
    this.#run(ASTRING, expected);
    return this.#octets.subarray(start, this.#at);
  }

  /** `astring` as text; octets that are no UTF-8 become U+FFFD. */
  astring(expected = 'a string'): string {
    return this.astringOctets(expected).toString('utf8');
  }

  string(expected = 'a string'): string {
    return this.stringOctets(expected).toString('utf8');
  }

  /** `quoted`, `literal` or `literal8`. */
  stringOctets(expected = 'a string'): Buffer {
    if (this.skip('"')) return this.#quoted();
    if (this.#startsString()) return this.#literal();
    throw this.problem(expected);
  }

  nstring(): string | undefined {
    return this.skipWord('NIL') ? undefined : this.string('a string or NIL');
  }

  /** Items between parentheses with one space between them. */
  list<T>(item: () => T, { empty = false }: { empty?: boolean } = {}): T[] {
    this.expect('(');
    const items: T[] = [];
    if (empty && this.skip(')')) return items;
    this.nested(() => {
      do items.push(item());
      while (this.skip(' '));
    });
    this.expect(')');
    return items;
  }

  /** A mailbox name in Unicode, NFC; INBOX in capitals whatever was sent, also in front of its children. */
  mailbox(): string {
    const { name, supplied } = this.#name(this.astringOctets('a mailbox name'));
    if (supplied.normalize('NFC') !== supplied) this.oldNames.set(name, supplied);
    return name;
  }

  /** What LIST and LSUB put in front of a pattern: the beginning of a name, not one. */
  reference(): string {
    return this.#name(this.astringOctets('a reference')).name;
  }

  /** `list-mailbox`: like a mailbox name, with `%` and `*`. */
  listMailbox(): string {
    if (this.#startsString()) return this.#name(this.stringOctets()).name;
    const start = this.#at;
    this.#run(LIST, 'a mailbox pattern');
    return this.#name(this.#octets.subarray(start, this.#at)).name;
  }

  /**
   * One flag as sent: a keyword, or a system flag that a client may set. Others with a backslash are for later standards
   * to define, and a server "MUST NOT generate" them (RFC 9051 section 9, flag-extension).
   */
  flag(): string {
    const flag = this.attribute();
    if (!flag.startsWith('\\') || settable.has(flag.toLowerCase())) return flag;
    if (flag.toUpperCase() === '\\RECENT') {
      throw new Problem('\\Recent cannot be set or cleared (RFC 3501 section 2.3.2)');
    }
    throw new Problem(`There is no system flag ${flag}`);
  }

  /** An atom, with or without a backslash. */
  attribute(): string {
    const backslash = this.skip('\\');
    const name = this.atom('a flag');
    if (name.length > LONGEST_FLAG) throw new Problem('The flag is too long', 'LIMIT');
    return backslash ? `\\${name}` : name;
  }

  flagList(): string[] {
    return this.list(() => this.flag(), { empty: true });
  }

  /** `sequence-set`, or `$` (RFC 9051 section 6.4.4.1). */
  sequenceSet(): SequenceSet {
    if (this.skip('$')) return '$';
    const ranges: [number, number][] = [];
    do {
      const first = this.#sequenceNumber();
      ranges.push([first, this.skip(':') ? this.#sequenceNumber() : first]);
    } while (this.skip(','));
    return ranges;
  }

  /** True if a sequence set may begin here. */
  get atSequenceSet(): boolean {
    const { next } = this;
    return (next >= '0' && next <= '9') || next === '*' || next === '$';
  }

  /** `date`, ms of its 00:00 UTC. */
  date(): number {
    const start = this.#at;
    const text = this.next === '"' ? this.string() : this.atom('a date');
    const time = parseDate(text);
    if (time !== undefined) return time;
    this.#at = start;
    throw this.problem('a date such as 1-Feb-1994');
  }

  dateTime(): DateTime {
    const start = this.#at;
    const value = parseDateTime(this.string('a date and time'));
    if (value) return value;
    this.#at = start;
    throw this.problem('a date such as "17-Jul-1996 02:44:25 -0700"');
  }

  /** Everything that is left. */
  rest(): Buffer {
    const rest = this.#octets.subarray(this.#at);
    this.#at = this.#octets.length;
    return rest;
  }

  #sequenceNumber(): number {
    if (this.skip('*')) return LAST;
    const start = this.#at;
    const value = this.nzNumber('a message number');
    if (value <= 0xffff_ffff) return value;
    this.#at = start;
    throw this.problem('a message number below 4294967296');
  }

  #startsString(): boolean {
    const { next } = this;
    return next === '"' || next === '{' || (next === '~' && this.#octets[this.#at + 1] === 123);
  }

  #quoted(): Buffer {
    const start = this.#at;
    let escapes = 0;
    for (; ; this.#at++) {
      if (this.atEnd) throw this.problem('a closing quote');
      const octet = this.#octets[this.#at] as number;
      if (octet === DQUOTE) break;
      if (octet === BACKSLASH) {
        const escaped = this.#octets[++this.#at];
        if (escaped !== DQUOTE && escaped !== BACKSLASH) throw this.problem('\\" or \\\\');
        escapes++;
      } else if (octet === 0 || octet === 10 || octet === 13) {
        throw this.problem('a quoted string without NUL, CR and LF');
      }
    }
    const raw = this.#octets.subarray(start, this.#at++);
    // RFC 6855 section 3 demands BAD; IMAP4rev1 had no octets above 127 here at all.
    if (!isUtf8(raw)) throw new Problem('The quoted string is not UTF-8');
    return escapes === 0 ? raw : unescape(raw, escapes);
  }

  #literal(): Buffer {
    const eight = this.skip('~');
    this.expect('{');
    const size = this.number('the size of a literal');
    this.skip('+');
    this.expect('}');
    this.skip('\r');
    this.expect('\n');
    const value = this.#octets.subarray(this.#at, this.#at + size);
    if (value.length < size) throw this.problem(`a literal of ${size} octets`);
    // RFC 9051 section 9: NUL in nothing but a literal8.
    if (!eight && value.includes(0)) throw new Problem('NUL is not allowed in a literal');
    this.#at += size;
    return value;
  }

  #name(octets: Buffer): { readonly name: string; readonly supplied: string } {
    let supplied: string;
    try {
      supplied = fatalUtf8.decode(octets);
    } catch {
      throw new Problem('The mailbox name is not UTF-8');
    }
    // Some clients send UTF-8 to servers that speak modified UTF-7; no name in that form has octets above 127.
    if (!this.#utf8Names && octets.every((octet) => octet < 128)) {
      supplied = mailboxOfUtf7(supplied);
    }
    let name = supplied.normalize('NFC');
    if (/^inbox(?:\/|$)/i.test(name)) name = `INBOX${name.slice(5)}`;
    return { name, supplied };
  }

  #run(kind: number, expected: string): string {
    const start = this.#at;
    const { length } = this.#octets;
    while (this.#at < length && (kindOf(this.#octets[this.#at] as number) & kind) !== 0) this.#at++;
    if (this.#at === start) throw this.problem(expected);
    return this.#octets.toString('latin1', start, this.#at);
  }
}

function kindOf(octet: number): number {
  return classes[octet] as number;
}

function unescape(raw: Buffer, escapes: number): Buffer {
  const out = Buffer.allocUnsafe(raw.length - escapes);
  for (let from = 0, to = 0; from < raw.length; from++, to++) {
    if (raw[from] === BACKSLASH) from++;
    out[to] = raw[from] as number;
  }
  return out;
}

function printable(octet: number): string {
  if (octet === SP) return 'a space';
  if (octet === OPEN || octet === CLOSE || (octet > SP && octet < 127)) {
    return `"${String.fromCharCode(octet)}"`;
  }
  return `octet ${octet}`;
}
