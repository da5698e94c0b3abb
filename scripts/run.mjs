/**
 * What `npm start`, `npm test`, `npm run bench`, `npm run fuzz` and `npm run simulate` do, from a fresh clone on: install what
 * package-lock.json names if it is not there, then run the command from the sources. Nothing is built, nothing but Node
 * and npm is needed. Signals reach the command; its exit code is ours.
 */
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const fromSources = ['--conditions=@mail-server-kit/source', '--import', 'tsx'];
const vitest = join(root, 'node_modules/vitest/vitest.mjs');

/** @type {Record<string, string[]>} */
const commands = {
  start: [...fromSources, join(root, 'examples/provider/main.ts')],
  test: [vitest, 'run', '--root', root],
  bench: [...fromSources, join(root, 'bench/run.ts')],
  simulate: [...fromSources, join(root, 'packages/storage/src/simulation/run.ts')],
  fuzz: [vitest, 'run', '--root', root, '--config', join(root, 'vitest.fuzz.config.ts')],
};

/** A child was ended by a signal that was passed on to it. */
let stopped = false;

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) fail(`usage: node scripts/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
checkNode();
if (!installed()) await install();
process.exitCode = await run(process.execPath, [...command, ...args], 'inherit');
// A server that was told to stop while its sources were read has nothing to close and could not say so itself.
if (name === 'start' && stopped) process.exitCode = 0;

/** @param {string} line @returns {never} */
function fail(line) {
  console.error(line);
  process.exit(1);
}

function checkNode() {
  const { engines } = json('package.json');
  const wanted = engines.node.replace('>=', '').split('.').map(Number);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return;
  fail(`mail-server-kit needs Node ${engines.node}; this is ${process.versions.node}.`);
}

/** @param {string} file */
function json(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8'));
}

/**
 * Whether node_modules holds what package-lock.json names. npm leaves its own copy of the lock-file in node_modules. The
 * times settle it nearly always; a git checkout renews them without a change, so then the versions are compared.
 */
function installed() {
  try {
    const lock = statSync(join(root, 'package-lock.json')).mtimeMs;
    if (statSync(join(root, 'node_modules/.package-lock.json')).mtimeMs >= lock) return true;
    const wanted = json('package-lock.json').packages;
    const found = json('node_modules/.package-lock.json').packages;
    return Object.entries(wanted).every(
      ([path, { version, optional, link }]) =>
        // Optional ones are there for one platform only; paths outside node_modules are the workspaces themselves.
        optional ||
        !path.includes('node_modules/') ||
        (found[path] && found[path].link === link && found[path].version === version),
    );
  } catch {
    return false;
  }
}

/** Its output goes to stderr: stdout belongs to the command. */
async function install() {
  console.error('Installing what package-lock.json names (npm ci) ...');
  // --include: NODE_ENV=production would leave out what runs the sources.
  const npmArgs = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  const npm = process.env['npm_execpath'];
  const code = npm
    ? await run(process.execPath, [npm, ...npmArgs], ['ignore', 2, 2])
    : await run('npm', npmArgs, ['ignore', 2, 2]);
  if (stopped) process.exit(name === 'start' ? 0 : code);
  if (code !== 0) fail(`npm ci failed with exit code ${code}.`);
}

/**
 * @param {string} file
 * @param {readonly string[]} fileArgs
 * @param {import('node:child_process').StdioOptions} stdio
 * @returns {Promise<number>} its exit code; 128 and the signal's number if a signal ended it
 */
function run(file, fileArgs, stdio) {
  return new Promise((resolve) => {
    /** @type {Set<NodeJS.Signals>} */
    const passed = new Set();
    /** @param {NodeJS.Signals} signal */
    const pass = (signal) => {
      passed.add(signal);
      child.kill(signal);
    };
    /** @type {NodeJS.Signals[]} */
    const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
    for (const signal of signals) process.on(signal, pass);
    const child = spawn(file, fileArgs, { stdio, cwd: root });
    child.on('error', (error) => fail(`cannot run ${file}: ${error.message}`));
    child.on('close', (code, signal) => {
      for (const each of signals) process.off(each, pass);
      stopped ||= signal !== null && signal !== 'SIGHUP' && passed.has(signal);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}
