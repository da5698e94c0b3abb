/** What people and scripts read. */
import type { Invocation, Output } from './command.ts';

/** Rows under a header, in columns; numbers to the right. With --json one object a row and line. */
export function printTable(
  { io, json }: Pick<Invocation, 'io' | 'json'>,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  if (json) {
    for (const row of rows) {
      const named = Object.fromEntries(columns.map((name, i) => [name, row[i]]));
      io.stdout.write(`${JSON.stringify(named)}\n`);
    }
    return;
  }
  const texts = rows.map((row) => row.map((cell) => printable(String(cell))));
  const widths = columns.map((name, i) =>
    Math.max(name.length, ...texts.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[], right: (i: number) => boolean) =>
    `${cells
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return right(i) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd()}\n`;
  const numeric = (i: number) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number');
  io.stdout.write(line(columns, numeric));
  for (const row of texts) io.stdout.write(line(row, numeric));
}

/** What comes from mail must not move the cursor of whoever reads it. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, '\ufffd');

/** One line that is written over and over on a terminal; nothing elsewhere. */
export class Progress {
  #shown = 0;
  readonly #on: boolean;

  constructor(
    readonly output: Output,
    readonly what: string,
  ) {
    this.#on = output.isTTY === true;
  }

  show(done: number, total: number): void {
    if (!this.#on || performance.now() - this.#shown < 100) return;
    this.#shown = performance.now();
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const bar = '#'.repeat(Math.round(30 * share)).padEnd(30, '.');
    this.output.write(
      `\r${this.what} [${bar}] ${Math.floor(100 * share)} % ${done}/${total}\x1b[K`,
    );
  }

  end(): void {
    if (this.#on && this.#shown > 0) this.output.write('\r\x1b[K');
  }
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Octets as people say them. */
export function inUnits(octets: number): string {
  let value = octets;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
