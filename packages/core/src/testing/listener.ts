import type { Duplex } from 'node:stream';
import { turn } from './clock.ts';

/** One client of a transcript: what it received and nobody has expected yet. */
export class Listener {
  received = Buffer.alloc(0);
  #closed: string | undefined;
  #wake = () => {};
  readonly #stream: Duplex;
  readonly #silence: number;

  constructor(stream: Duplex, silence: number) {
    this.#stream = stream;
    this.#silence = silence;
    stream
      .on('data', this.#data)
      .on('end', this.#end)
      .on('close', this.#end)
      .on('error', this.#error);
    stream.resume();
  }

  /** Undefined once exactly `octets` came next; else why not. */
  async expect(octets: Buffer): Promise<string | undefined> {
    for (;;) {
      const length = Math.min(octets.length, this.received.length);
      if (!octets.subarray(0, length).equals(this.received.subarray(0, length))) {
        // The rest of the line makes it readable.
        await turn();
        return 'received something else than expected';
      }
      if (length === octets.length) {
        this.received = this.received.subarray(length);
        return undefined;
      }
      const why = await this.#more();
      if (why) return why;
    }
  }

  async expectEnd(): Promise<string | undefined> {
    while (this.#closed === undefined) {
      const why = await this.#more();
      if (this.#closed === undefined && why) return why;
    }
    return this.received.length > 0 ? 'received more than expected before the end' : undefined;
  }

  /** Waits while the server does not read. If it closes instead, what it said before tells why. */
  async send(octets: Buffer): Promise<void> {
    if (this.#stream.destroyed || this.#stream.write(octets)) return;
    const stream = this.#stream;
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off('drain', done).off('close', done);
        resolve();
      };
      stream.on('drain', done).on('close', done);
    });
  }

  /** Gives the stream away. */
  release(): Duplex {
    this.#stream.pause();
    this.#stream
      .off('data', this.#data)
      .off('end', this.#end)
      .off('close', this.#end)
      .off('error', this.#error);
    return this.#stream;
  }

  #data = (chunk: Buffer): void => {
    this.received = Buffer.concat([this.received, chunk]);
    this.#wake();
  };

  #end = (): void => {
    this.#closed ??= 'the connection was closed';
    this.#wake();
  };

  #error = (error: Error): void => {
    this.#closed ??= `the connection broke: ${error.message}`;
    this.#wake();
  };

  /** Waits for the next octets or the end. */
  async #more(): Promise<string | undefined> {
    if (this.#closed !== undefined) return this.#closed;
    let timer: NodeJS.Timeout | undefined;
    const outcome = await new Promise<string | undefined>((resolve) => {
      this.#wake = () => resolve(undefined);
      timer = setTimeout(() => resolve(`heard nothing for ${this.#silence} ms`), this.#silence);
    });
    clearTimeout(timer);
    this.#wake = () => {};
    return outcome;
  }
}

/** Octets as lines that a terminal shows; what is no text as `\xNN`, a missing CRLF as such. */
export function visible(octets: Uint8Array): string[] {
  const buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  const utf8 = buffer.toString('utf8');
  const text = Buffer.from(utf8).equals(buffer) ? utf8 : buffer.toString('latin1');
  const complete = text.endsWith('\r\n');
  const lines = text === '' ? [] : (complete ? text.slice(0, -2) : text).split('\r\n');
  const escaped = lines.map((line) =>
    line.replace(
      /[\0-\x1f\x7f-\x9f]/g,
      (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
    ),
  );
  if (!complete && escaped.length > 0) escaped.push(`${escaped.pop()}<no CRLF>`);
  return escaped.length > 24
    ? [...escaped.slice(0, 24), `... and ${escaped.length - 24} more lines`]
    : escaped;
}
