/** A literal that is not gathered but handed on as it comes: the message of APPEND. */
import { no } from './outcome.ts';
import type { Input } from './wire/input.ts';
import { literalHeader, type LiteralHeader } from './wire/literal.ts';
import { Reader, type ReaderOptions } from './wire/reader.ts';

export interface UploadWiring {
  readonly input: Input;
  readonly stallTimeout: number;
  readonly lineOctets: number;
  goAhead(): Promise<void>;
  readonly reading: ReaderOptions;
}

export class Upload {
  readonly size: number;
  /** Announced as `~{`: may hold NUL. */
  readonly eight: boolean;
  readonly synchronizing: boolean;
  /** Octets of it that were not read yet. */
  left: number;
  /** The line behind it was read. */
  ended = false;
  next: Upload | undefined;
  #begun = false;
  readonly #wiring: UploadWiring;

  constructor(header: LiteralHeader, wiring: UploadWiring) {
    this.size = header.size;
    this.eight = header.eight;
    this.synchronizing = header.synchronizing;
    this.left = header.size;
    this.#wiring = wiring;
  }

  /** The client sends octets whether they are wanted or not. */
  get coming(): boolean {
    return this.#begun || !this.synchronizing;
  }

  /** Asks for the octets if the client waits for that, and gives them as they come. @throws Refusal for NUL in a literal that may hold none */
  async *octets(): AsyncGenerator<Buffer, void> {
    const { input, stallTimeout } = this.#wiring;
    if (this.synchronizing) await this.#wiring.goAhead();
    this.#begun = true;
    for await (const part of input.stream(this.left, stallTimeout)) {
      this.left -= part.length;
      if (!this.eight && part.includes(0)) {
        throw no(undefined, 'A message with NUL needs a literal8 (RFC 3516 section 4.4)');
      }
      yield part;
    }
  }

  /** What stands after the literal, up to the end of the line or to the literal that follows: `next`. */
  async after(): Promise<{ readonly read: Reader; readonly next: Upload | undefined }> {
    const { input, lineOctets, stallTimeout, reading } = this.#wiring;
    const line = await input.line({ limit: lineOctets, patience: stallTimeout });
    const header = literalHeader(line);
    this.ended = true;
    if (header) this.next = new Upload(header, this.#wiring);
    return {
      read: new Reader(header ? line.subarray(0, header.at) : line, reading),
      next: this.next,
    };
  }
}
