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
  readonly peers: readonly Compared[];
  /** (max - min) / median of the rounds, of the side where it is largest: how much the figures can be trusted. */
  readonly spread: number;
  /** Something was counted wrong, or did not come at all. */
  readonly error?: string;
  readonly satisfies: boolean;
}

interface Compared {
  readonly theirs: number;
  /** ours / theirs. */
  readonly ratio: number;
  /** ours / theirs of the CPU time. */
  readonly cpu: number;
}

/** The rows of the scenario `name`. */
export function compare(name: string, row: Row, ours: Side, peers: readonly Side[]): Result {
  const linesOf = (side: Side) =>
    side.lines.filter((line) => line.of === name && line.scenario === row.line);
  const values = (side: Side, figure: (line: Line) => number) =>
    linesOf(side)
      .filter((line) => !isWrong(line))
      .map(figure);
  const cpuOf = (side: Side) => median(values(side, row.cpu ?? (() => NaN)));
  const mine = values(ours, row.figure);
  const floor = row.floor ?? 1;
  const compared = peers.map((peer): Compared & { spread: number } => {
    const yours = values(peer, row.peerFigure ?? row.figure);
    const theirs = median(yours);
    const ratio = median(mine) / theirs;
    return { theirs, ratio, cpu: cpuOf(ours) / cpuOf(peer), spread: spread(yours) };
  });
  const error = [ours, ...peers]
    .map((side) => wrongs(side, linesOf(side), name))
    .find((wrong) => wrong !== undefined);
  return {
    row,
    ours: median(mine),
    peers: compared,
    spread: Math.max(spread(mine), ...compared.map((one) => one.spread)),
    ...(error !== undefined && { error }),
    satisfies:
      error === undefined &&
      compared.every(({ ratio }) => (row.lowerIsBetter ? ratio <= floor : ratio >= floor)),
  };
}

function wrongs(side: Side, lines: readonly Line[], name: string): string | undefined {
  // A check that failed, or a run that broke off, has a name of its own.
  const line =
    lines.find(isWrong) ?? side.lines.find((found) => found.of === name && isWrong(found));
  if (line) return `${side.name}: ${String(line.error ?? line['firstError'])}`;
  return lines.length > 0 ? undefined : `${side.name}: no measurement`;
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

export function print(results: readonly Result[], peers: readonly Side[]): string {
  const head = [
    '',
    'ours',
    ...peers.flatMap(({ name }) => [name, 'x', 'cpu']),
    'unit',
    'spread',
    'wanted',
    '',
  ];
  const rows = results.map(({ row, ours, peers: compared, spread, error, satisfies }) => [
    row.title,
    figure(ours),
    ...compared.flatMap(({ theirs, ratio, cpu }) => [figure(theirs), times(ratio), times(cpu)]),
    row.unit,
    `${Math.round(spread * 100)} %`,
    `${row.lowerIsBetter ? '<=' : '>='} ${row.floor ?? 1}`,
    error ?? (satisfies ? '' : 'below'),
  ]);
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  const left = new Set([0, head.indexOf('unit'), head.length - 1]);
  return all
    .map((row) =>
      row
        .map((cell, i) => (left.has(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function times(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : '-';
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '-';
  return Math.abs(value) >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
