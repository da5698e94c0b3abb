/** The octets of one message on their way from the connection to the store: a pipe of bounded length, nothing more. */

/** Octets that may wait; then the connection is not read until they were taken. */
const HIGH_WATER = 128 * 1024;

export class Body implements AsyncIterable<Buffer> {
  /** Octets pushed so far, those that nobody wanted any more included. */
  size = 0;
  readonly #waiting: Buffer[] = [];
  #octets = 0;
  #state: 'open' | 'ended' | 'aborted' = 'open';
  #error: Error | undefined;
  /** The reader has left: what still comes is thrown away. */
  #unwanted = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  readonly #closed: Promise<void>;
  #close = () => {};

  readonly #flood: { readonly beyond: number; readonly callback: () => void };
  #rest: (() => void) | undefined;

  /** `flood.callback`: more than so many octets came, though the message is refused already. */
  constructor(flood = { beyond: Infinity, callback: () => {} }) {
    this.#flood = flood;
    this.#closed = new Promise((resolve) => (this.#close = resolve));
  }

  /** False: call again only after `drained` called back. */
  push(chunk: Buffer): boolean {
    this.size += chunk.length;
    if (this.#unwanted || this.#state !== 'open') {
      if (this.size > this.#flood.beyond) this.#flood.callback();
      return true;
    }
    this.#waiting.push(chunk);
    this.#octets += chunk.length;
    this.#wakeReader?.();
    return this.#octets < HIGH_WATER;
  }

  drained(callback: () => void): void {
    this.#wakeWriter = callback;
  }

  /** The message is complete. */
  end(): void {
    this.#finish('ended');
  }

  /** It never will be: the reader gets `error`. */
  abort(error: Error): void {
    this.#error = error;
    this.#finish('aborted');
  }

  /** Resolves at the end or abort; what still comes until then is read away. */
  closed(): Promise<void> {
    return this.#closed;
  }

  /** What came is not taken yet: the writer waits for the reader. */
  get isFull(): boolean {
    return this.#octets >= HIGH_WATER;
  }

  /** The reader left before the end: the message is refused. */
  get unwanted(): boolean {
    return this.#unwanted && this.#state === 'open';
  }

  /** Resolves when the reader has dealt with all that came so far, or left. */
  async dealtWith(): Promise<void> {
    if (this.#unwanted || this.#state !== 'open' || (this.#octets === 0 && this.#wakeReader))
      return;
    await new Promise<void>((resolve) => (this.#rest = resolve));
  }

  get aborted(): boolean {
    return this.#state === 'aborted';
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        if (this.#state === 'aborted') throw this.#error;
        const chunk = this.#waiting.shift();
        if (chunk !== undefined) {
          this.#octets -= chunk.length;
          if (this.#octets < HIGH_WATER) this.#letWriterGo();
          yield chunk;
        } else if (this.#state === 'ended') {
          return;
        } else {
          const more = new Promise<void>((resolve) => (this.#wakeReader = resolve));
          this.#letRest();
          await more;
          this.#wakeReader = undefined;
        }
      }
    } finally {
      this.leave();
    }
  }

  /** The reader wants no more, if it ever began: what still comes is thrown away, and nobody waits for it. */
  leave(): void {
    this.#unwanted = true;
    this.#waiting.length = 0;
    this.#octets = 0;
    this.#letWriterGo();
    this.#letRest();
  }

  #finish(state: 'ended' | 'aborted'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#wakeReader?.();
    this.#letWriterGo();
    this.#letRest();
    this.#close();
  }

  #letRest(): void {
    this.#rest?.();
    this.#rest = undefined;
  }

  #letWriterGo(): void {
    const wake = this.#wakeWriter;
    this.#wakeWriter = undefined;
    wake?.();
  }
}
