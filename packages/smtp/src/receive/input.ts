/**
 * The octets of one client, cut into what the protocol says they are: command lines, then at DATA the message up to its
 * end, or at BDAT a counted chunk. One command at a time: nothing behind it is looked at before it is done, so that
 * octets are read as what the client's last command made them, however they were packed.
 */
import { Writable } from 'node:stream';
import type { Body } from './body.ts';
import { DotDecoder } from './dots.ts';

export interface InputOptions {
  /** Octets of a line without its end. RFC 4954 section 4 wants 12,288 for lines of an AUTH exchange. */
  readonly maxLine: number;
  /** A line, what ended it (LF alone is a mistake that the session judges), and what to call for the next. */
  line(line: Buffer, end: 'crlf' | 'lf', done: () => void): void;
  /** A line was too long and is thrown away. */
  tooLong(done: () => void): void;
  /** The message or chunk is complete. */
  ended(done: () => void): void;
}

type Mode =
  | { readonly reads: 'lines' }
  | { readonly reads: 'data'; readonly body: Body; readonly dots: DotDecoder }
  | { readonly reads: 'chunk'; readonly body: Body | undefined; left: number };

/** Commands that run in one go before other connections get their turn. */
const COMMANDS_AT_ONCE = 100;

export class Input extends Writable {
  /** True: everything is thrown away. smtp-server sets it when it retires a parser (at STARTTLS) or closes. */
  isClosed = false;
  /** Octets seen so far; tells a timer whether the client moves. */
  octets = 0;
  readonly #options: InputOptions;
  #mode: Mode = { reads: 'lines' };
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #next: (() => void) | undefined;
  /** The beginning of a line whose end has not come. */
  #partial: Buffer[] = [];
  #partialLength = 0;
  #skipping = false;
  #running = false;
  #again = false;

  constructor(options: InputOptions) {
    super({ highWaterMark: 64 * 1024, decodeStrings: true });
    this.#options = options;
  }

  /** What follows is a message in the form of DATA. To be called by a command, before its `done`. */
  readData(body: Body): void {
    this.#mode = { reads: 'data', body, dots: new DotDecoder() };
  }

  /** What follows are `size` octets of a message; without `body` they are thrown away. */
  readChunk(size: number, body: Body | undefined): void {
    this.#mode = { reads: 'chunk', body, left: size };
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, next: () => void): void {
    this.octets += chunk.length;
    this.#chunk = chunk;
    this.#at = 0;
    this.#next = next;
    this.#run();
  }

  /** Works through the chunk until it is used up or somebody has to be waited for. Continuations that come at once make a loop, not a recursion. */
  #run(): void {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    try {
      for (let count = 0; ; count++) {
        if (count === COMMANDS_AT_ONCE) {
          setImmediate(() => this.#run());
          return;
        }
        this.#again = false;
        if (this.#step() === 'used up') {
          const next = this.#next;
          this.#next = undefined;
          // If chunks are waiting, the next one is written before this returns.
          next?.();
        }
        if (!this.#again) return;
      }
    } finally {
      this.#running = false;
    }
  }

  #step(): 'used up' | 'waits' {
    if (this.isClosed) return 'used up';
    const mode = this.#mode;
    // A chunk of no octets is complete without one.
    if (mode.reads === 'chunk' && mode.left === 0) return this.#end();
    if (this.#at >= this.#chunk.length) return 'used up';
    switch (mode.reads) {
      case 'lines':
        return this.#line();
      case 'data':
        return this.#data(mode.body, mode.dots);
      case 'chunk': {
        const octets = this.#chunk.subarray(this.#at, this.#at + mode.left);
        this.#at += octets.length;
        mode.left -= octets.length;
        return this.#push(mode.body, octets);
      }
    }
  }

  #line(): 'used up' | 'waits' {
    const end = this.#chunk.indexOf(0x0a, this.#at);
    const piece = this.#chunk.subarray(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#chunk.length : end + 1;
    // One more for the CR of the end.
    if (!this.#skipping && this.#partialLength + piece.length > this.#options.maxLine + 1) {
      this.#skipping = true;
      this.#partial = [];
      this.#partialLength = 0;
    }
    if (end < 0) {
      if (!this.#skipping) {
        this.#partial.push(piece);
        this.#partialLength += piece.length;
        // Octet by octet is a way to make the list long.
        if (this.#partial.length > 64) this.#partial = [Buffer.concat(this.#partial)];
      }
      return 'used up';
    }
    if (this.#skipping) {
      this.#skipping = false;
      this.#options.tooLong(this.#continuation());
      return 'waits';
    }
    const line = this.#partial.length === 0 ? piece : Buffer.concat([...this.#partial, piece]);
    this.#partial = [];
    this.#partialLength = 0;
    const crlf = line.length > 0 && line[line.length - 1] === 0x0d;
    this.#options.line(
      crlf ? line.subarray(0, -1) : line,
      crlf ? 'crlf' : 'lf',
      this.#continuation(),
    );
    return 'waits';
  }

  #data(body: Body, dots: DotDecoder): 'used up' | 'waits' {
    const chunk = this.#at === 0 ? this.#chunk : this.#chunk.subarray(this.#at);
    const pieces: Buffer[] = [];
    const end = dots.feed(chunk, (octets) => void pieces.push(octets));
    // A message of dots alone must not become thousands of buffers, each with its own way through the store.
    const [first] = pieces;
    const goOn =
      first === undefined || body.push(pieces.length === 1 ? first : Buffer.concat(pieces));
    this.#at = end < 0 ? this.#chunk.length : this.#at + end;
    if (end >= 0) {
      body.end();
      return this.#end();
    }
    return this.#afterPush(body, goOn);
  }

  #push(body: Body | undefined, octets: Buffer): 'used up' | 'waits' {
    return this.#afterPush(body, body?.push(octets) ?? true);
  }

  #afterPush(body: Body | undefined, goOn: boolean): 'used up' | 'waits' {
    if (goOn) this.#again = true;
    else body?.drained(this.#continuation());
    return 'waits';
  }

  #end(): 'waits' {
    this.#mode = { reads: 'lines' };
    this.#options.ended(this.#continuation());
    return 'waits';
  }

  /** Goes on, once, however often it is called. */
  #continuation(): () => void {
    let called = false;
    return () => {
      if (called) return;
      called = true;
      this.#run();
    };
  }
}
