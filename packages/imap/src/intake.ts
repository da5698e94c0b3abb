/**
 * Takes in one command: its first line, then its literals and the lines behind them, as far as the command wants them
 * gathered. What is refused and comes all the same is thrown away, so that it is never taken for commands.
 */
import { bad } from './outcome.ts';
import type { ImapLimits } from './limits.ts';
import { Upload } from './upload.ts';
import type { Input } from './wire/input.ts';
import { literalHeader, type LiteralHeader } from './wire/literal.ts';
import { Fatal, Problem } from './wire/problem.ts';
import type { ReaderOptions } from './wire/reader.ts';

const CRLF = Buffer.from('\r\n');

export interface IntakeOptions {
  readonly input: Input;
  readonly limits: ImapLimits;
  /** The tight limits of those who have not logged in apply. */
  readonly stranger: boolean;
  readonly reading: ReaderOptions;
  /** Tells the client that it may send the literal. */
  goAhead(): Promise<void>;
}

export class Intake {
  /** The literal at which the command begins to run. */
  upload: Upload | undefined;
  /** A literal that was announced and not taken. */
  #announced: LiteralHeader | undefined;
  readonly #parts: Buffer[];
  readonly #options: IntakeOptions;

  constructor(line: Buffer, options: IntakeOptions) {
    this.#parts = [line];
    this.#announced = literalHeader(line);
    this.#options = options;
  }

  /**
   * All octets of the command, line ends within it as they are. `runsAt`: whether the command begins to run at a literal
   * with this in front of it, which then is `upload`; it throws what is wrong, or a Problem that is `unfinished`.
   * @throws Problem, Refusal, Fatal, Closed
   */
  async gather(runsAt: ((before: Buffer) => void) | undefined): Promise<Buffer> {
    const { input, limits, goAhead } = this.#options;
    let octets = (this.#parts[0] as Buffer).length;
    for (let count = 1; this.#announced; count++) {
      const header = this.#announced;
      if (runsAt && this.#beginsAt(header, runsAt)) break;
      octets += header.size;
      this.#check(header, octets, count);
      if (header.synchronizing) await goAhead();
      const literal = await input.octets(header.size, limits.stallTimeout);
      this.#announced = undefined;
      const line = await this.#line();
      octets += line.length;
      this.#parts.push(CRLF, literal, line);
      this.#announced = literalHeader(line);
    }
    return this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
  }

  /** Reads and forgets what is left of the command after it has ended, well or not. @throws Fatal if that is too much */
  async discard(): Promise<void> {
    const header = this.#announced;
    if (header && !header.synchronizing) await this.#skip(header.size);
    let last = this.upload;
    while (last?.next) last = last.next;
    if (last && !last.ended && last.coming) await this.#skip(last.left);
  }

  /** True if what stands before the literal is all that the command needs to begin. */
  #beginsAt(header: LiteralHeader, runsAt: (before: Buffer) => void): boolean {
    const { input, limits, goAhead, reading } = this.#options;
    const last = (this.#parts.at(-1) as Buffer).subarray(0, header.at);
    try {
      runsAt(Buffer.concat([...this.#parts.slice(0, -1), last]));
    } catch (error) {
      // The literal is one of the arguments: a mailbox name.
      if (error instanceof Problem && error.unfinished) return false;
      throw error;
    }
    this.#parts[this.#parts.length - 1] = last;
    this.#announced = undefined;
    const { stallTimeout, lineOctets } = limits;
    this.upload = new Upload(header, { input, stallTimeout, lineOctets, goAhead, reading });
    return true;
  }

  #check(header: LiteralHeader, octets: number, count: number): void {
    const { limits, stranger } = this.#options;
    const most = stranger ? limits.literalBeforeLogin : limits.commandOctets;
    const all = stranger ? 2 * limits.literalBeforeLogin : limits.commandOctets;
    if (header.size <= most && octets <= all && count <= limits.literals) return;
    // To a stranger who sends it unasked there is nothing more to say.
    if (stranger && !header.synchronizing) throw new Fatal('Literal too large', 'TOOBIG');
    throw bad('Too many or too large literals', 'TOOBIG');
  }

  async #skip(octets: number): Promise<void> {
    const { input, limits } = this.#options;
    let total = 0;
    for (let size = octets; ;) {
      total += size;
      if (total > limits.discardOctets) throw new Fatal('Literal too large', 'TOOBIG');
      for await (const part of input.stream(size, limits.stallTimeout)) void part;
      const header = literalHeader(await this.#line());
      if (!header || header.synchronizing) return;
      size = header.size;
    }
  }

  #line(): Promise<Buffer> {
    const { input, limits, stranger } = this.#options;
    const limit = stranger ? limits.lineBeforeLogin : limits.lineOctets;
    return input.line({ limit, patience: limits.stallTimeout });
  }
}
