/**
 * Octets from the client, in order and never lost: whatever came along with DONE, a literal or a base64 line stays here
 * for the next who asks. Nothing is read from the stream unless somebody waits for it, so a client that sends faster
 * than it is served is held back by TCP.
 */
import type { Clock } from '@mail-server-kit/core';
import type { Duplex } from 'node:stream';
import { Fatal } from './problem.ts';

const LF = 10;
const CR = 13;

/** The client is gone; there is nobody to tell. */
export class Closed extends Error {
  override readonly name = 'Closed';
}

export interface LineOptions {
  /** Octets, line end not counted. */
  readonly limit: number;
  /** Milliseconds of silence that are borne. */
  readonly patience: number;
  /** What the goodbye says when patience ends. */
  readonly impatient?: string;
}

export class Input {
  /** What was read from the stream and nobody has taken yet. */
  #chunks: Buffer[] = [];
  /** Octets of the first chunk that were taken already. */
  #taken = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #beforeWait: () => Promise<void>;

  /** `beforeWait` is called when more octets are needed that are not there: the moment to send what was written. */
  constructor(stream: Duplex, clock: Clock, beforeWait: () => Promise<void> = async () => {}) {
    this.#stream = stream;
    this.#clock = clock;
    this.#beforeWait = beforeWait;
    stream.on('readable', this.#notify);
    stream.on('end', this.#ended);
    stream.on('close', this.#ended);
    stream.on('error', this.#ended);
  }

  readonly #notify = (): void => this.#wake?.();
  readonly #ended = (): void => {
    this.#failure ??= new Closed('the client is gone');
    this.#wake?.();
  };

  /** Who waits now, or next, gets `reason` instead of octets that have not come yet. */
  interrupt(reason: Error): void {
    this.#failure ??= reason;
    this.#wake?.();
  }

  /**
   * The next line without its end. CRLF ends a line; a bare LF does too, for those who type by hand.
   * @throws Fatal beyond the limit, Closed
   */
  async line({ limit, patience, impatient }: LineOptions): Promise<Buffer> {
    let searched = 0;
    let length = 0;
    for (;;) {
      // Each octet is looked at once, however the line is split into packets.
      for (; searched < this.#chunks.length; searched++) {
        const chunk = this.#chunks[searched] as Buffer;
        const from = searched === 0 ? this.#taken : 0;
        const at = chunk.indexOf(LF, from);
        if (at < 0) {
          length += chunk.length - from;
          continue;
        }
        length += at - from;
        if (length > limit + 1) throw new Fatal('Line too long');
        const line = this.#take(length + 1);
        const end = length > 0 && line[length - 1] === CR ? length - 1 : length;
        return line.subarray(0, end);
      }
      if (length > limit + 1) throw new Fatal('Line too long');
      await this.#more(patience, impatient);
    }
  }

  /** Exactly `count` octets, in one piece. Only for counts that are limited already. */
  async octets(count: number, patience: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.stream(count, patience)) parts.push(part);
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  /** Exactly `count` octets, piece by piece as they come; the next piece is read when it is asked for. */
  async *stream(count: number, patience: number): AsyncGenerator<Buffer, void> {
    for (let left = count; left > 0;) {
      if (this.#chunks.length === 0) await this.#more(patience);
      const first = this.#chunks[0] as Buffer;
      const part = this.#take(Math.min(left, first.length - this.#taken));
      left -= part.length;
      yield part;
    }
  }

  /** Forgets everything that has come so far (STARTTLS, RFC 9051 section 6.2.1). Returns the octets dropped. */
  drop(): number {
    let dropped = 0;
    while (this.#pull());
    for (const chunk of this.#chunks) dropped += chunk.length;
    dropped -= this.#taken;
    this.#chunks = [];
    this.#taken = 0;
    return dropped;
  }

  /** Stops listening to the stream, which somebody else reads from now on. */
  release(): void {
    this.#stream.off('readable', this.#notify);
    this.#stream.off('end', this.#ended);
    this.#stream.off('close', this.#ended);
    this.#stream.off('error', this.#ended);
  }

  #pull(): boolean {
    const chunk = this.#stream.read() as Buffer | null;
    if (chunk === null) return false;
    this.#chunks.push(chunk);
    return true;
  }

  async #more(patience: number, impatient = 'Too slow'): Promise<void> {
    if (this.#pull()) return;
    await this.#beforeWait();
    let late = false;
    const cancel = this.#clock.after(patience, () => {
      late = true;
      this.#wake?.();
    });
    try {
      // Looked at again before the first wait: what came while the answers went out has been announced already, to nobody.
      while (!this.#pull()) {
        if (this.#failure) throw this.#failure;
        if (late) throw new Fatal(impatient);
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#wake = undefined;
      cancel();
    }
  }

  #take(count: number): Buffer {
    const first = this.#chunks[0] as Buffer;
    const available = first.length - this.#taken;
    if (count < available) {
      const part = first.subarray(this.#taken, this.#taken + count);
      this.#taken += count;
      return part;
    }
    const parts: Buffer[] = [];
    let used = 0;
    for (let left = count; left > 0;) {
      const chunk = this.#chunks[used] as Buffer;
      const from = used === 0 ? this.#taken : 0;
      if (left < chunk.length - from) {
        parts.push(chunk.subarray(from, from + left));
        this.#taken = from + left;
        left = 0;
      } else {
        parts.push(from === 0 ? chunk : chunk.subarray(from));
        left -= chunk.length - from;
        used++;
        this.#taken = 0;
      }
    }
    this.#chunks.splice(0, used);
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
}
