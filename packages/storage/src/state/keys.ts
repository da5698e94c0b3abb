/** Keys of records in the order of their UTF-8 octets, in arrays of at most 512, so that an insertion moves few. */

const MAX = 512;

/** By the octets of UTF-8, which is by code points; UTF-16 puts surrogates before U+E000, so they are lifted. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return lift(x) - lift(y);
  }
  return a.length - b.length;
}

const lift = (unit: number) => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);

export class OrderedKeys {
  readonly #chunks: string[][] = [];

  add(key: string): void {
    const chunks = this.#chunks;
    const at = Math.min(this.#chunkFor(key), chunks.length - 1);
    const chunk = chunks[at];
    if (!chunk) {
      chunks.push([key]);
      return;
    }
    const index = bound(chunk, key);
    if (chunk[index] === key) return;
    chunk.splice(index, 0, key);
    if (chunk.length > MAX) chunks.splice(at + 1, 0, chunk.splice(MAX / 2));
  }

  delete(key: string): void {
    const at = this.#chunkFor(key);
    const chunk = this.#chunks[at];
    if (!chunk) return;
    const index = bound(chunk, key);
    if (chunk[index] !== key) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** At least one and at most about 512 keys from `from` on (excluded if `after`), empty at the end. */
  page(from: string | undefined, after: boolean): string[] {
    let at = from === undefined ? 0 : this.#chunkFor(from);
    let index = 0;
    if (from !== undefined && this.#chunks[at]) {
      const chunk = this.#chunks[at] as string[];
      index = bound(chunk, from);
      if (after && chunk[index] === from) index++;
      if (index === chunk.length) {
        at++;
        index = 0;
      }
    }
    return (this.#chunks[at] ?? []).slice(index);
  }

  /** The same downwards, from below `before` on, or from the end. */
  pageBefore(before: string | undefined): string[] {
    let at = before === undefined ? this.#chunks.length - 1 : this.#chunkFor(before);
    let end = this.#chunks[at]?.length ?? 0;
    if (before !== undefined) {
      end = at < this.#chunks.length ? bound(this.#chunks[at] as string[], before) : 0;
    }
    if (end === 0) {
      at--;
      end = this.#chunks[at]?.length ?? 0;
    }
    return (this.#chunks[at] ?? []).slice(0, end).reverse();
  }

  /** Index of the first chunk whose last key is at least `key`. */
  #chunkFor(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const chunk = this.#chunks[middle] as string[];
      if (compareKeys(chunk[chunk.length - 1] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bound(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(chunk[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
