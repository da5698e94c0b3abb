/**
 * The packages as their users get them: built, packed, installed into an empty project, and used by import and by require.
 */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => join(root, 'node_modules/.bin', name);
const packages = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);
const tarballs = new Map<string, string>();
let project: string;

async function run(file: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(file, args, { cwd, maxBuffer: 16 * 1_048_576 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} ${args.join(' ')}\n${stdout}\n${stderr}`);
  }
}

/** As `make` does: what is newer than all it is made of stays. */
function isBuilt(folder: string): boolean {
  const built = join(folder, 'dist');
  if (!existsSync(join(built, 'index.d.cts'))) return false;
  const made = Math.min(...timesBelow(built));
  const shared = ['tsup.base.ts', 'tsconfig.base.json'].map(
    (name) => statSync(join(root, name)).mtimeMs,
  );
  const own = ['package.json', 'tsup.config.ts'].map(
    (name) => statSync(join(folder, name)).mtimeMs,
  );
  return made > Math.max(...shared, ...own, ...timesBelow(join(folder, 'src')));
}

function timesBelow(folder: string): number[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
}

async function buildAndPack(name: string): Promise<void> {
  const folder = join(root, 'packages', name);
  if (!isBuilt(folder)) await run('npm', ['run', 'build'], folder);
  const [packed] = JSON.parse(
    await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], folder),
  ) as { filename: string }[];
  tarballs.set(name, join(project, packed?.filename ?? ''));
}

/** What use.cjs is given, by the names that it has for them. */
function names(load: (specifier: string) => string): string {
  const specifiers = {
    core: '@mail-server-kit/core',
    testing: '@mail-server-kit/core/testing',
    mime: '@mail-server-kit/mime',
    storage: '@mail-server-kit/storage',
    contract: '@mail-server-kit/storage/contract',
    accounts: '@mail-server-kit/accounts',
    directoryContract: '@mail-server-kit/accounts/contract',
    smtp: '@mail-server-kit/smtp',
    imap: 'imap-server-kit',
    certificates: '@mail-server-kit/tls',
  };
  return Object.entries(specifiers)
    .map(([name, specifier]) => `${name}: ${load(specifier)}`)
    .join(', ');
}

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'pack-'));
  // Two at a time: each is one core's work.
  const queue = [...packages];
  const worker = async () => {
    for (let name = queue.shift(); name; name = queue.shift()) await buildAndPack(name);
  };
  await Promise.all([worker(), worker()]);
  const dependencies = Object.fromEntries(
    packages.map((name) => {
      const manifest = readFileSync(join(root, 'packages', name, 'package.json'), 'utf8');
      return [(JSON.parse(manifest) as { name: string }).name, `file:${tarballs.get(name)}`];
    }),
  );
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, dependencies }));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], project);
  copyFileSync(join(root, 'tests/pack/use.cjs'), join(project, 'use.cjs'));
}, 400_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the packed packages', () => {
  it('work by require', { timeout: 60_000 }, async () => {
    writeFileSync(
      join(project, 'a.cjs'),
      `const kit = {${names((name) => `require('${name}')`)}};
       require('./use.cjs')(kit).then(console.log);`,
    );
    expect(await run(process.execPath, ['a.cjs'], project)).toBe('used\n');
  });

  it('work by import', { timeout: 60_000 }, async () => {
    writeFileSync(
      join(project, 'a.mjs'),
      `import use from './use.cjs';
       console.log(await use({${names((name) => `await import('${name}')`)}}));`,
    );
    expect(await run(process.execPath, ['a.mjs'], project)).toBe('used\n');
  });

  it('know each other’s errors where one is loaded by import and the other by require', async () => {
    writeFileSync(
      join(project, 'b.mjs'),
      `import { createRequire } from 'node:module';
       import { MailError } from '@mail-server-kit/core';
       const core = createRequire(import.meta.url)('@mail-server-kit/core');
       console.log(core.MailError !== MailError, core.isMailError(new MailError('LIMIT', 'x'), 'LIMIT'));`,
    );
    expect(await run(process.execPath, ['b.mjs'], project)).toBe('true true\n');
  });

  it('have a command line for stores', { timeout: 60_000 }, async () => {
    writeFileSync(
      join(project, 'c.mjs'),
      `import { openEmbeddedStore } from '@mail-server-kit/storage';
       const store = await openEmbeddedStore('mail');
       await store.commit([{ op: 'createAccount', account: 'alice' }]);
       await store.close();`,
    );
    await run(process.execPath, ['c.mjs'], project);
    const list = ['--no-install', '@mail-server-kit/storage', 'mail', 'list', 'alice', '--json'];
    expect(JSON.parse(await run('npx', list, project))).toMatchObject({ mailbox: 'INBOX' });
  });

  it.each([
    ['node16', 'node16', 'mts'],
    ['node16', 'node16', 'cts'],
    ['bundler', 'esnext', 'ts'],
  ])(
    'have types for moduleResolution %s in %s, .%s',
    { timeout: 120_000 },
    async (moduleResolution, module, extension) => {
      const folder = join(project, `types-${moduleResolution}-${extension}`);
      mkdirSync(folder);
      copyFileSync(join(root, 'tests/pack/consumer.ts'), join(folder, `consumer.${extension}`));
      const types = join(project, 'node_modules/@types');
      mkdirSync(types, { recursive: true });
      if (!existsSync(join(types, 'node')))
        symlinkSync(join(root, 'node_modules/@types/node'), join(types, 'node'));
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            module,
            moduleResolution,
            target: 'ES2022',
            lib: ['ES2023'],
            types: ['node'],
            strict: true,
            exactOptionalPropertyTypes: true,
            noEmit: true,
          },
          files: [`consumer.${extension}`],
        }),
      );
      await run(bin('tsc'), ['-p', folder], project);
    },
  );

  it.each(packages)('%s: publint finds nothing', { timeout: 60_000 }, async (name) => {
    const tarball = readFileSync(tarballs.get(name) as string);
    const { messages, pkg } = await publint({
      strict: true,
      pack: { tarball: Uint8Array.from(tarball).buffer },
    });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  // The profile leaves out the resolution of Node 10, which knows no exports map; Node 20 is the oldest that is supported.
  it.each(packages)('%s: attw finds nothing', { timeout: 60_000 }, async (name) => {
    const args = [
      tarballs.get(name) as string,
      '--profile',
      'node16',
      '--no-definitely-typed',
      '--no-color',
    ];
    await run(bin('attw'), args, project);
  });
});
