/**
 * Octets to the client. Small pieces are gathered and go out in one write; `ready` waits while the client has not taken
 * what was written, so that a slow reader costs time and not memory.
 */
import type { Clock } from '@mail-server-kit/core';
import type { Duplex } from 'node:stream';
import { Closed } from './input.ts';
import { Fatal } from './problem.ts';

export interface Mark {
  readonly sent: number;
  readonly parts: number;
  readonly buffer: Buffer | undefined;
  readonly used: number;
}

/** Octets gathered before they have to go out. */
const FULL = 64 * 1024;
/** Octets that are made or gone through before others get their turn: some milliseconds. */
const FAIR = 256 * 1024;
const FIRST = 1024;
const ZERO = 48;

/** Of a number. */
export const MOST_DIGITS = 16;

const DQUOTE = 34;
const BACKSLASH = 92;

export class Writer {
  #buffer: Buffer | undefined;
  #used = 0;
  #ready: Buffer[] = [];
  #readyOctets = 0;
  /** How often something was sent. */
  #sent = 0;
  /** Octets since others had their turn. */
  #spent = 0;
  #gone = false;
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #patience: number;

  /** `patience`: milliseconds that a client may take nothing. */
  constructor(stream: Duplex, clock: Clock, patience: number) {
    this.#stream = stream;
    this.#clock = clock;
    this.#patience = patience;
    stream.once('close', () => (this.#gone = true));
  }

  /** Text in UTF-8. */
  text(text: string): this {
    const at = this.#room(text.length * 3);
    this.#used = at + (this.#buffer as Buffer).write(text, at);
    return this;
  }

  octets(octets: Uint8Array): this {
    if (octets.length >= FULL / 4) {
      this.#seal();
      this.#ready.push(Buffer.from(octets.buffer, octets.byteOffset, octets.length));
      this.#readyOctets += octets.length;
    } else {
      const at = this.#room(octets.length);
      this.#used = putOctets(this.#buffer as Buffer, at, octets);
    }
    return this;
  }

  /** A whole number below 2^53, without a string in between: 100,000 flags are 300,000 numbers. */
  number(value: number): this {
    const at = this.#room(MOST_DIGITS);
    this.#used = putNumber(this.#buffer as Buffer, at, value);
    return this;
  }

  /** For whoever writes lines by the thousand: a buffer with room for `octets` from `position` on. */
  room(octets: number): Buffer {
    this.#room(octets);
    return this.#buffer as Buffer;
  }

  get position(): number {
    return this.#used;
  }

  /** The buffer that `room` gave was filled up to `end`. */
  wrote(end: number): void {
    this.#used = end;
  }

  /** `quoted` where that can carry the octets, otherwise a literal (RFC 9051 section 4.3). */
  string(value: string | Uint8Array, utf8 = false): this {
    const octets = typeof value === 'string' ? Buffer.from(value) : value;
    if (!quotable(octets, utf8)) return this.literal(octets);
    this.text('"');
    let from = 0;
    for (let i = 0; i < octets.length; i++) {
      if (octets[i] !== DQUOTE && octets[i] !== BACKSLASH) continue;
      this.octets(octets.subarray(from, i)).text('\\');
      from = i;
    }
    return this.octets(octets.subarray(from)).text('"');
  }

  literal(octets: Uint8Array): this {
    return this.text('{').number(octets.length).text('}\r\n').octets(octets);
  }

  /** As an atom if it can be one, else as a string: how mailbox names are shown. */
  astring(value: string, utf8 = false): this {
    return isAtom(value) ? this.text(value) : this.string(value, utf8);
  }

  /** Where the output stands, to come back to with `rewind`. */
  mark(): Mark {
    const { length } = this.#ready;
    return { sent: this.#sent, parts: length, buffer: this.#buffer, used: this.#used };
  }

  /** Takes back what was written since `mark`; false if it was sent already. */
  rewind({ sent, parts, buffer, used }: Mark): boolean {
    if (sent !== this.#sent) return false;
    this.#buffer = undefined;
    this.#used = 0;
    this.#ready.length = parts;
    // What was in the buffer then is in it still, though it may have been copied into a larger one since.
    if (buffer && used > 0) this.#ready.push(buffer.subarray(0, used));
    this.#readyOctets = this.#ready.reduce((sum, part) => sum + part.length, 0);
    return true;
  }

  /** Enough is gathered: the one who writes a lot should wait for `ready` now. */
  get full(): boolean {
    return this.#readyOctets + this.#used >= FULL;
  }

  /** Sends what is gathered. Resolves when the client takes more. @throws Closed, Fatal */
  async flush(): Promise<void> {
    this.#seal();
    // Somebody else may have sent what the client does not take.
    if (this.#ready.length === 0) {
      if (this.#stream.writableNeedDrain && !this.#gone) await this.#drained();
      return;
    }
    if (this.#gone || this.#stream.destroyed) throw new Closed('the client is gone');
    const parts = this.#ready;
    this.#ready = [];
    const spent = this.#readyOctets;
    this.#readyOctets = 0;
    this.#sent++;
    const one = parts.length === 1 ? (parts[0] as Buffer) : undefined;
    let room = true;
    if (one) room = this.#stream.write(one);
    else {
      this.#stream.cork();
      for (const part of parts) room = this.#stream.write(part);
      this.#stream.uncork();
    }
    if (!room) await this.#drained();
    // A client that takes everything at once gets a drain at once: without this nobody else would get their turn.
    const turn = this.spend(spent);
    if (turn) await turn;
  }

  /** So many octets were gone through to write little or nothing; after many of them others get their turn. */
  spend(octets: number): Promise<void> | undefined {
    this.#spent += octets;
    if (this.#spent < FAIR) return undefined;
    this.#spent = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Sends what is gathered and does not wait for the client to take it: for last words. */
  push(): void {
    this.#seal();
    const parts = this.#ready;
    this.#ready = [];
    this.#readyOctets = 0;
    if (this.#gone || this.#stream.destroyed) return;
    for (const part of parts) this.#stream.write(part);
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: Error): void => {
        cancel();
        this.#stream.off('drain', drain);
        this.#stream.off('close', close);
        if (error) reject(error);
        else resolve();
      };
      const drain = (): void => done();
      const close = (): void => done(new Closed('the client is gone'));
      const cancel = this.#clock.after(this.#patience, () =>
        done(new Fatal('You do not read what you asked for')),
      );
      this.#stream.once('drain', drain);
      this.#stream.once('close', close);
    });
  }

  #room(octets: number): number {
    const buffer = this.#buffer;
    if (buffer && this.#used + octets <= buffer.length) return this.#used;
    if (buffer && this.#used + octets <= FULL) {
      // Small answers stay small: an idle connection holds nothing, a NOOP a kilobyte.
      const larger = Buffer.allocUnsafeSlow(
        Math.min(FULL, Math.max(buffer.length * 4, this.#used + octets)),
      );
      buffer.copy(larger, 0, 0, this.#used);
      this.#buffer = larger;
      return this.#used;
    }
    this.#seal();
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(buffer ? FULL : FIRST, octets));
    return 0;
  }

  #seal(): void {
    if (this.#buffer && this.#used > 0) {
      this.#ready.push(this.#buffer.subarray(0, this.#used));
      this.#readyOctets += this.#used;
    }
    this.#buffer = undefined;
    this.#used = 0;
  }
}

/** Writes the digits of a whole number below 2^53; returns the position behind them. */
export function putNumber(buffer: Buffer, at: number, value: number): number {
  if (value > 0xffff_ffff) return at + buffer.write(String(value), at, 'latin1');
  let digits = 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) >>> 0) digits++;
  const end = at + digits;
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const next = (rest / 10) >>> 0;
    buffer[i] = ZERO + rest - next * 10;
    rest = next;
  }
  return end;
}

/** Writes a few octets; returns the position behind them. */
export function putOctets(buffer: Buffer, at: number, octets: Uint8Array): number {
  const { length } = octets;
  // A loop is several times faster than `set` for the few octets that stand between numbers.
  if (length < 32) for (let i = 0; i < length; i++) buffer[at + i] = octets[i] as number;
  else buffer.set(octets, at);
  return at + length;
}

/** Longer ones are literals: some clients read quoted strings into small buffers. */
const LONGEST_QUOTED = 1000;

function quotable(octets: Uint8Array, utf8: boolean): boolean {
  if (octets.length > LONGEST_QUOTED) return false;
  for (const octet of octets) {
    if (octet === 0 || octet === 10 || octet === 13 || (octet > 126 && !utf8)) return false;
  }
  return true;
}

function isAtom(value: string): boolean {
  // "NIL" would be read as nothing by some.
  if (value.length === 0 || value.toUpperCase() === 'NIL') return false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code <= 32 || code > 126 || '(){%*"\\]['.includes(value[i] as string)) return false;
  }
  return true;
}
