/**
 * The command line: `npx @mail-server-kit/storage DIR COMMAND`. Commands look at a store and change nothing, beside a running
 * server too, unless the table says otherwise.
 */
import { parseArgs } from 'node:util';
import { isMailError } from '@mail-server-kit/core';
import { keyFile } from '../embedded/vault/master-key.ts';
import { cat } from './cat.ts';
import { check } from './check.ts';
import { compact } from './compact.ts';
import { UsageError, type Command, type Io } from './command.ts';
import { exportMaildir } from './export-maildir.ts';
import { list } from './list.ts';
import { rebuildIndex } from './rebuild-index.ts';
import { scrub } from './scrub.ts';
import { stats } from './stats.ts';

const commands: readonly Command[] = [
  check,
  stats,
  list,
  cat,
  exportMaildir,
  rebuildIndex,
  scrub,
  compact,
];

/** Everything is well; something is damaged or missing; the command was given wrongly; the store cannot be opened. */
export const OK = 0;
export const FOUND = 1;
export const USAGE = 2;
export const CANNOT_OPEN = 3;

/** Runs one command and returns the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await run(argv, io);
  } catch (error) {
    if (error instanceof UsageError || isArgumentError(error)) {
      io.stderr.write(`${(error as Error).message}\n\n${usage}`);
      return USAGE;
    }
    if (!isMailError(error)) throw error;
    io.stderr.write(`${error.message}\n`);
    return error.code === 'CORRUPTION' ? FOUND : CANNOT_OPEN;
  }
}

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      'encryption-key': { type: 'string' },
      account: { type: 'string', multiple: true, default: [] },
      mirror: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    io.stdout.write(usage);
    return OK;
  }
  const [directory, name, ...args] = positionals;
  if (directory === undefined || name === undefined) {
    throw new UsageError('A directory and a command are needed');
  }
  const command = commands.find((each) => each.name === name);
  if (!command) throw new UsageError(`There is no command ${name}`);
  const { json, mirror, account: accounts, 'encryption-key': key } = values;
  const encryption = key === undefined ? undefined : { masterKey: await keyFile(key) };
  const given = { directory, mirror, args, accounts, json, encryption, io };
  return (await command.run(given)) ? OK : FOUND;
}

const isArgumentError = (error: unknown) =>
  error instanceof TypeError && String((error as { code?: unknown }).code).startsWith('ERR_PARSE');

const usage = `usage: npx @mail-server-kit/storage DIR COMMAND [--json] [--encryption-key FILE]

DIR is the directory of a store (the one that has journal/ in it). An encrypted one needs the file with its master key.

${commands.map(({ usage: line, help }) => `  ${line.padEnd(38)}${help}`).join('\n')}

Exit code: 0 all is well, 1 something is damaged or missing, 2 wrong arguments, 3 the store cannot be opened.
`;
