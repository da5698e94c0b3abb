/** Medians of the rounds, side by side. */
import { isWrong, type Line } from './load.ts';
import type { Row } from './scenarios.ts';

export interface Side {
  readonly name: string;
  readonly lines: readonly Line[];
}

export interface Result {
  readonly row: Row;
  readonly ours: number;
  readonly theirs: number;
  /** ours / theirs. */
  readonly ratio: number;
  /** (max - min) / median of the rounds, the larger of both sides: how much the figure can be trusted. */
  readonly spread: number;
  /** Something was counted wrong, or did not come at all. */
  readonly error?: string;
  readonly satisfies: boolean;
}

export function compare(row: Row, ours: Side, theirs: Side): Result {
  const mine = values(ours, row.line, row.figure);
  const yours = values(theirs, row.line, row.peerFigure ?? row.figure);
  const error = wrongs(ours, row.line) ?? wrongs(theirs, row.line);
  const ratio = median(mine) / median(yours);
  const floor = row.floor ?? 1;
  return {
    row,
    ours: median(mine),
    theirs: median(yours),
    ratio,
    spread: Math.max(spread(mine), spread(yours)),
    ...(error !== undefined && { error }),
    satisfies: error === undefined && (row.lowerIsBetter ? ratio <= floor : ratio >= floor),
  };
}

function values(side: Side, scenario: string, figure: (line: Line) => number): number[] {
  return side.lines.filter((line) => line.scenario === scenario && !isWrong(line)).map(figure);
}

function wrongs(side: Side, scenario: string): string | undefined {
  const line = side.lines.find((found) => found.scenario === scenario && isWrong(found));
  if (line) return `${side.name}: ${String(line.error ?? line['firstError'])}`;
  const there = side.lines.some((found) => found.scenario === scenario);
  return there ? undefined : `${side.name}: no measurement`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / Math.abs(median(values));
}

const columns = ['', 'ours', 'peer', 'unit', 'ratio', 'spread', 'wanted', ''] as const;

export function print(results: readonly Result[], peerName: string): string {
  const rows = results.map((result) => [
    result.row.title,
    figure(result.ours),
    figure(result.theirs),
    result.row.unit,
    result.error === undefined ? result.ratio.toFixed(2) : '-',
    `${Math.round(result.spread * 100)} %`,
    `${result.row.lowerIsBetter ? '<=' : '>='} ${result.row.floor ?? 1}`,
    result.error ?? (result.satisfies ? '' : 'below'),
  ]);
  const all = [columns.map((name) => (name === 'peer' ? peerName : name)), ...rows];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, i) =>
          i === 0 || i === 3 || i === 7 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '-';
  return Math.abs(value) >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
