/** Programs that people use with a mail server. What is not installed here is skipped and says so; CI has them all. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'vitest';

const required = process.env['MAIL_KIT_REQUIRE_CLIENTS'] === '1' || process.env['CI'] === 'true';

/** `it`, for tests that need `program`: without it they are skipped, or fail where all are required. */
export function itWith(
  program: string,
): (name: string, test: () => Promise<void>, patience?: number) => void {
  const missing = spawnSync('which', [program]).status !== 0;
  return (name, test, patience = 30_000) =>
    it(name, { timeout: patience }, async (context) => {
      if (missing && required) throw new Error(`${program} is not installed`);
      if (missing) context.skip(`${program} is not installed`);
      await test();
    });
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds, after which it is ended. Default 20,000. */
  readonly patience?: number;
}

/** Runs a program to its end. The test's own event loop serves it, so nothing here may block. */
export async function run(
  program: string,
  args: readonly string[],
  { input = '', env = {}, patience = 20_000 }: RunOptions = {},
): Promise<Run> {
  const child = spawn(program, args, {
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
    timeout: patience,
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  }
  // A program that has ended early does not read the rest.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

/** As `run`, but a program that does not succeed is an error with all that it said. */
export async function succeed(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  throw new Error(`${program} ended with ${String(code)}\n${stdout}\n${stderr}`);
}
