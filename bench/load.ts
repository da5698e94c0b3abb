/** The load generators of ../shared/bench: each prints one JSON line per measurement. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { run } from './processes.ts';

const generators = fileURLToPath(new URL('../../shared/bench/', import.meta.url));

export interface Line {
  /** What the generator calls it. */
  readonly scenario: string;
  /** The name of our scenario that it was run for. */
  readonly of?: string;
  readonly error?: string;
  readonly errors?: number;
  readonly [figure: string]: unknown;
}

/** What is missing for a benchmark, or undefined. */
export function missingGenerators(): string | undefined {
  return ['smtp-load.mjs', 'imap-load.mjs'].every((name) => existsSync(join(generators, name)))
    ? undefined
    : `the load generators are not there: ${generators}`;
}

/** Runs a generator; whatever it found wrong comes back as lines with `error`. */
export async function load(
  generator: 'smtp-load' | 'imap-load',
  options: Readonly<Record<string, string | number | true>>,
): Promise<Line[]> {
  const args = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  const { code, stdout, stderr } = await run(process.execPath, [
    join(generators, `${generator}.mjs`),
    ...args,
  ]);
  const lines = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
  const wrong = lines.some(isWrong);
  if (code !== 0 && !wrong)
    lines.push({ scenario: generator, error: `exit code ${code} ${stderr}` });
  return lines;
}

export function isWrong(line: Line): boolean {
  return line.error !== undefined || (line.errors ?? 0) > 0;
}
