/** Delimiter lines of multiparts (RFC 2046 section 5.1.1). */

/** A delimiter line of the part at `index` of the open ones. */
export interface Delimiter {
  readonly index: number;
  /** It is the close-delimiter. */
  readonly isLast: boolean;
  /** Behind the two dashes. */
  readonly line: string;
}

/** A boundary has at most 70 characters (RFC 2046 section 5.1.1). Of longer ones this much is compared, as Dovecot does. */
export const MAX_BOUNDARY = 80;
/** Of a line that may be a delimiter this much is looked at, line end included. */
export const MAX_DELIMITER = 100;

/**
 * The boundaries of the parts that are open. Found by length and not one by one: else a message of a hundred nested parts
 * could make each of its lines cost a hundred comparisons.
 */
export class Boundaries {
  /** Indexes of the parts with that boundary, the innermost last. */
  readonly #parts = new Map<string, number[]>();
  /** How many boundaries have that length. */
  readonly #lengths = new Uint16Array(MAX_BOUNDARY + 1);

  get isEmpty(): boolean {
    return this.#parts.size === 0;
  }

  add(boundary: string, index: number): void {
    const parts = this.#parts.get(boundary);
    if (parts) parts.push(index);
    else {
      this.#parts.set(boundary, [index]);
      this.#count(boundary, 1);
    }
  }

  /** Of the innermost part that has it. */
  remove(boundary: string): void {
    const parts = this.#parts.get(boundary);
    parts?.pop();
    if (parts?.length !== 0) return;
    this.#parts.delete(boundary);
    this.#count(boundary, -1);
  }

  #count({ length }: string, by: number): void {
    this.#lengths[length] = (this.#lengths[length] ?? 0) + by;
  }

  clear(): void {
    this.#parts.clear();
    this.#lengths.fill(0);
  }

  /**
   * Whose delimiter a line is; `line` is what follows its two dashes. "Boundary string comparisons must compare the
   * boundary string with the beginning of each candidate line": of several that fit, the longest is meant, and of equal
   * ones the innermost. Those of outer parts count too, else a part cut short would swallow what follows.
   */
  find(line: string): Delimiter | undefined {
    const [length, index] = this.#longest(line);
    // `x--` ends the boundary `x`, even if there is another named `x--` further out.
    const closed = line.endsWith('--') ? this.#parts.get(line.slice(0, -2))?.at(-1) : undefined;
    if (closed !== undefined && closed > index) return { index: closed, isLast: true, line };
    return index === -1 ? undefined : { index, isLast: line.startsWith('--', length), line };
  }

  #longest(line: string): readonly [length: number, index: number] {
    for (let length = Math.min(line.length, MAX_BOUNDARY); length > 0; length--) {
      if (this.#lengths[length] === 0) continue;
      const index = this.#parts.get(line.slice(0, length))?.at(-1);
      if (index !== undefined) return [length, index];
    }
    return [0, -1];
  }
}
