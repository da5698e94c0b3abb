/** Changes of the index that are put together in steps, so that the event loop is never held for long. */
import type { Levels, LevelsBatch } from './mirror/levels.ts';

/** After so long others get their turn. */
const SLICE_MS = 3;

let since = 0;

export class IndexBatch {
  readonly #levels: Levels;
  #batch: LevelsBatch | undefined;
  /** Of the values that are not written yet. */
  octets = 0;

  constructor(levels: Levels) {
    this.#levels = levels;
  }

  put(key: string, value: Uint8Array): Promise<void> | void {
    (this.#batch ??= this.#levels.batch()).put(key, value);
    this.octets += value.length;
    return turn();
  }

  delete(key: string): Promise<void> | void {
    (this.#batch ??= this.#levels.batch()).del(key);
    return turn();
  }

  /** As one, and on disk when it resolves. */
  async write(): Promise<void> {
    const batch = this.#batch;
    this.#batch = undefined;
    this.octets = 0;
    await batch?.write();
    since = performance.now();
  }
}

/** Lets others have the event loop if they had to wait. */
function turn(): Promise<void> | void {
  if (performance.now() - since < SLICE_MS) return;
  return new Promise((resolve) =>
    setImmediate(() => {
      since = performance.now();
      resolve();
    }),
  );
}
