/**
 * Commands that wait for the store while the next ones are read already (RFC 9051 section 5.5: a server may begin another
 * command if the two do not touch each other). A client that sends many APPENDs without waiting for each has them made
 * durable together. Answers go out in the order of the commands.
 */

/** Commands of one connection that may wait at one time. */
const MOST = 64;
/** Octets that they may hold together; the next one waits for them then. */
const MOST_OCTETS = 1024 * 1024;

export class WaitingAnswers {
  #count = 0;
  #octets = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  readonly #failed: (error: Error) => void;

  /** `failed`: an answer has thrown; those behind it are not given. */
  constructor(failed: (error: Error) => void) {
    this.#failed = failed;
  }

  /** Calls `answer` with what became of `done`, after those before it were answered. It waits as one that holds `octets`. */
  add(
    done: Promise<string>,
    octets: number,
    answer: (done: Promise<string>) => Promise<void>,
  ): void {
    this.#count++;
    this.#octets += octets;
    // Whoever answers it may be late.
    done.catch(() => {});
    this.#last = this.#last.then(async () => {
      try {
        if (!this.#failure) await answer(done);
      } catch (error) {
        this.#failure = error as Error;
        this.#failed(this.#failure);
      }
      this.#count--;
      this.#octets -= octets;
    });
  }

  get isFull(): boolean {
    return this.#count >= MOST || this.#octets >= MOST_OCTETS;
  }

  /** Resolves when all are answered. @throws what an answer has thrown: the connection is at its end */
  async answered(): Promise<void> {
    if (this.#count > 0) await this.#last;
    if (this.#failure) throw this.#failure;
  }
}
