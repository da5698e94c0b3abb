/**
 * FETCH responses that show columns and nothing else: ready octets in one pass, no object and no string for a message. A
 * STORE of 10,000 messages answers with 10,000 of them.
 */
import type { Block } from '@mail-server-kit/core';
import type { Rows } from './rows.ts';
import type { View, Wording } from './view.ts';
import { MOST_DIGITS, putNumber, putOctets, type Writer } from './wire/writer.ts';

/** A number of each message, with its name: `UID 7`, `MODSEQ (12)`. */
export interface NumberColumn {
  /** What stands in front of the number, the name of the item first. */
  readonly before: string;
  /** What stands behind it. */
  readonly after?: string;
  of(block: Block): ArrayLike<number>;
}

/** `FLAGS (\Seen)`. */
export const FLAGS = 'FLAGS' as const;

export type Column = NumberColumn | typeof FLAGS;

export const uidColumn: NumberColumn = { before: 'UID ', of: ({ uid }) => uid };

const star = Buffer.from('* ');

interface Place {
  /** Everything from the value before up to this one. */
  readonly before: Uint8Array;
  readonly column: Column;
  /** The numbers of the block that is shown. */
  numbers: ArrayLike<number>;
}

export class ColumnLines {
  readonly #view: View;
  readonly #wording: Wording;
  readonly #places: readonly Place[];
  readonly #end: Uint8Array;
  /** Octets of a line at most, flags not counted. */
  readonly #most: number;

  constructor(view: View, wording: Wording, columns: readonly Column[]) {
    this.#view = view;
    this.#wording = wording;
    let text = ' FETCH (';
    const places: Place[] = [];
    for (const column of columns) {
      const before = column === FLAGS ? 'FLAGS ' : column.before;
      places.push({ before: Buffer.from(text + before), column, numbers: [] });
      text = `${column === FLAGS ? '' : (column.after ?? '')} `;
    }
    this.#end = Buffer.from(`${text.trimEnd()})\r\n`);
    this.#places = places;
    this.#most = [star, this.#end, ...places.map(({ before }) => before)].reduce(
      (sum, { length }) => sum + length + MOST_DIGITS,
      0,
    );
  }

  /** One line for each row that is left in `rows`, waiting while the client does not take them. */
  async write(rows: Rows, out: Writer): Promise<void> {
    while (this.#fill(rows, out)) await out.flush();
  }

  /** Lines until enough are gathered; false if there are no more rows. */
  #fill(rows: Rows, out: Writer): boolean {
    const view = this.#view;
    const places = this.#places;
    const end = this.#end;
    const showsFlags = places.some(({ column }) => column === FLAGS);
    // Neighbours mostly have the same flags.
    const sameText = !view.tellsRecent(this.#wording);
    let low = -1;
    let high = -1;
    let flags: Uint8Array = star;
    let block: Block | undefined;
    while (rows.next()) {
      if (rows.block !== block) {
        ({ block } = rows);
        for (const place of places)
          if (place.column !== FLAGS) place.numbers = place.column.of(block);
      }
      if (showsFlags && !(sameText && rows.flagsLow === low && rows.flagsHigh === high)) {
        low = rows.flagsLow;
        high = rows.flagsHigh;
        flags = view.flagsOf(rows, this.#wording);
      }
      const buffer = out.room(this.#most + flags.length);
      let at = putOctets(buffer, out.position, star);
      at = putNumber(buffer, at, view.numberOf(rows));
      for (let i = 0; i < places.length; i++) {
        const { before, column, numbers } = places[i] as Place;
        at = putOctets(buffer, at, before);
        at =
          column === FLAGS
            ? putOctets(buffer, at, flags)
            : putNumber(buffer, at, numbers[rows.row] as number);
      }
      out.wrote(putOctets(buffer, at, end));
      if (out.full) return true;
    }
    return false;
  }
}
