/**
 * Every `ts` and `sh` block of the pages runs. A page's `ts` blocks are one program, its `sh` blocks one script. A block `ts of FILE`
 * stands in that file word for word. What cannot run here (a clone, output, a fragment) is marked `text`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { blocksOf, pagesOf, programOf } from './blocks.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = pagesOf(root);
const folders: string[] = [];
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder in which the packages can be imported by name. */
function emptyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'docs-'));
  folders.push(folder);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return folder;
}

/** A checkout, as far as `npm start` needs one. */
function checkout(): string {
  const folder = emptyProject();
  for (const name of ['package.json', 'package-lock.json', 'scripts', 'examples'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'packages'), join(folder, 'packages'));
  return folder;
}

function start(file: string, args: readonly string[], cwd: string) {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  let stdout = '';
  let notify = () => {};
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    output += chunk.toString();
    notify();
  });
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<string>((resolve) => {
    child.on('close', (code, signal) => {
      resolve(code === 0 ? 'ended well' : `ended with ${signal ?? code}:\n${output}`);
    });
  });
  return {
    child,
    ended,
    /** Resolves when stdout matches, or the process has ended. */
    said: (wanted: RegExp) =>
      Promise.race([
        ended,
        new Promise<string>((resolve) => {
          notify = () => wanted.test(stdout) && resolve('said');
          notify();
        }),
      ]),
  };
}

describe('ts blocks', () => {
  const programs = pages.flatMap((page) => {
    const code = programOf(page, 'ts');
    return code === undefined ? [] : [{ path: page.path, code }];
  });

  it('have the types they use', { timeout: 60_000 }, () => {
    const folder = emptyProject();
    const names = new Map(
      programs.map(({ path, code }) => {
        const name = join(folder, `${path.replace(/[^\w]/g, '-')}.ts`);
        writeFileSync(name, `${code}export {};\n`);
        return [name, path];
      }),
    );
    const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), (path) =>
      readFileSync(path, 'utf8'),
    );
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram([...names.keys()], {
      ...options,
      typeRoots: [join(root, 'node_modules/@types')],
    });
    const complaints = [...names].flatMap(([name, path]) =>
      ts
        .getPreEmitDiagnostics(program, program.getSourceFile(name))
        .map(({ file, start: at, messageText }) => {
          const line = file ? file.getLineAndCharacterOfPosition(at ?? 0).line + 1 : 0;
          return `${path}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
        }),
    );
    expect(complaints).toEqual([]);
  });

  // Pages show the ports that readers know; here any free one will do.
  it.each(programs)('of $path run', { timeout: 60_000 }, async ({ code }) => {
    const folder = emptyProject();
    const file = join(folder, 'page.ts');
    writeFileSync(file, code.replace(/\bport: \d+/g, 'port: 0'));
    const program = start(
      process.execPath,
      ['--conditions=@mail-server-kit/source', '--import', 'tsx', file],
      folder,
    );
    // A program that serves until it is told to stop says first where.
    if (code.includes('SIGTERM') && (await program.said(/\n/)) === 'said') program.child.kill();
    expect(await program.ended).toBe('ended well');
  });
});

describe('sh blocks', () => {
  const scripts = pages.flatMap((page) => {
    const code = programOf(page, 'sh');
    return code === undefined ? [] : [{ path: page.path, code }];
  });

  it.for(scripts)('of $path run', { timeout: 120_000 }, async ({ code }, { skip }) => {
    const folder = checkout();
    const missing = ['swaks', 'curl'].filter((tool) => code.includes(tool) && !installed(tool));
    const required = process.env['MAIL_KIT_REQUIRE_CLIENTS'] === '1';
    skip(missing.length > 0 && !required, `${missing.join()} is not installed`);
    const { script, servers } = await withFreePorts(code);
    const started = [];
    for (const line of servers) {
      const server = start('bash', ['-c', `exec ${line}`], folder);
      expect(await server.said(/^ready /m)).toBe('said');
      started.push(server);
    }
    expect(await start('bash', ['-euo', 'pipefail', '-c', script], folder).ended).toBe(
      'ended well',
    );
    for (const server of started) {
      server.child.kill();
      expect(await server.ended).toBe('ended well');
    }
  });
});

function installed(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, tool)));
}

const ports = [
  'smtp',
  'submission',
  'submissions',
  'imap',
  'imaps',
  'pop3',
  'pop3s',
  'lmtp',
  'http',
  'https',
];
const defaults = [2525, 2587, 2465, 2143, 2993, 2110, 2995, 2424, 2080, 2443];

/**
 * A reader starts the server in one terminal and types the rest in another: so do we, with ports that are free, since
 * somebody may have a server of their own on the usual ones.
 */
async function withFreePorts(code: string): Promise<{ script: string; servers: string[] }> {
  const free = await Promise.all(defaults.map(freePort));
  const moved = code.replace(/\b2\d{3}\b/g, (port) => {
    const index = defaults.indexOf(Number(port));
    return index < 0 ? port : `${free[index]}`;
  });
  const servers = moved.split('\n').filter((line) => /^npm start\b(?!.*--help)/.test(line));
  const script = moved.replaceAll(/^npm start\b(?!.*--help).*$/gm, '');
  const flags = ports.map((name, i) => `--${name} ${free[i]}`).join(' ');
  return {
    script,
    servers: servers.map((line) => `${line.includes(' -- ') ? line : `${line} --`} ${flags}`),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

it('links lead to files that are there', () => {
  const broken = pages.flatMap(({ path }) => {
    const folder = dirname(join(root, path));
    const links = readFileSync(join(root, path), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g);
    return [...links]
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(folder, link)))
      .map((link) => `${path}: ${link}`);
  });
  expect(broken).toEqual([]);
});

describe('blocks of the sources', () => {
  const quoted = pages.flatMap(({ path, blocks }) =>
    blocks
      .filter(({ language }) => language.startsWith('ts of '))
      .map(({ language, code, line }) => ({
        at: `${path}:${line}`,
        file: language.slice(6),
        code,
      })),
  );

  it.each(quoted)('$at is what $file says', ({ file, code }) => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(code);
  });
});

it('a block is found with its language and line', () => {
  const page = 'A\n\n```ts\none\n```\n```text\ntwo\n```\n';
  expect(blocksOf(page)).toEqual([
    { language: 'ts', code: 'one', line: 4 },
    { language: 'text', code: 'two', line: 7 },
  ]);
  expect(programOf({ path: 'a.md', blocks: blocksOf(page) }, 'text')).toBe(
    '\n'.repeat(6) + 'two\n',
  );
});
