/** The provider example as a child process, as somebody starts it by hand. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Every listener on a free port of its own. */
export const freePorts = ['smtp', 'submission', 'submissions', 'imap', 'imaps', 'lmtp'].flatMap(
  (name) => [`--${name}`, '0'],
);

/** How it is started: by npm as a user does, by the script that npm runs, or without both, which is faster. */
const ways = {
  npm: ['npm', 'start', '--'],
  script: [process.execPath, 'scripts/run.mjs', 'start'],
  node: [
    process.execPath,
    '--conditions=@mail-server-kit/source',
    '--import',
    'tsx',
    'examples/provider/main.ts',
  ],
};

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Provider {
  readonly child: ChildProcess;
  /** Resolves with the ports by name as the `ready` line has them. @throws if it ends before */
  ready(): Promise<Readonly<Record<string, number>>>;
  /** Resolves once stderr has `text`. */
  complained(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
  /** What it has said on stdout so far. */
  said(): string;
}

const children = new Set<{ child: ChildProcess; detached: boolean }>();
const folders = new Set<string>();

export function startProvider(
  args: readonly string[],
  {
    way = 'node',
    uid,
    detached = false,
  }: { way?: keyof typeof ways; uid?: number; detached?: boolean } = {},
): Provider {
  const [file = '', ...before] = ways[way];
  const child = spawn(file, [...before, ...args], {
    cwd: root,
    detached,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid, env: { ...process.env, TSX_DISABLE_CACHE: '1' } }),
  });
  const entry = { child, detached };
  children.add(entry);
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const look = () => watchers.forEach((watcher) => watcher());
  child.stdout.on('data', (chunk: Buffer) => ((stdout += chunk.toString()), look()));
  child.stderr.on('data', (chunk: Buffer) => ((stderr += chunk.toString()), look()));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      children.delete(entry);
      resolve({ code, signal, stdout, stderr });
    });
  });

  /** Resolves with the first value that `find` finds. */
  function wait<Value>(find: () => Value | undefined): Promise<Value> {
    const found = new Promise<Value>((resolve) => {
      const watcher = () => {
        const value = find();
        if (value === undefined) return;
        watchers.delete(watcher);
        resolve(value);
      };
      watchers.add(watcher);
      watcher();
    });
    const over = ended.then(({ code, signal }) => {
      throw new Error(`it ended with ${signal ?? code}:\n${stdout}${stderr}`);
    });
    return Promise.race([found, over]);
  }

  return {
    child,
    ended,
    said: () => stdout,
    complained: (text) => wait(() => stderr.includes(text) || undefined).then(() => {}),
    ready: () =>
      wait(() => {
        const line = /^ready (.*)\n/m.exec(stdout)?.[1];
        if (line === undefined) return undefined;
        const pairs = [...line.matchAll(/(\w+)=\S+:(\d+)/g)];
        return Object.fromEntries(pairs.map(([, name, port]) => [name, Number(port)]));
      }),
  };
}

/** A new folder below the temporary one; `cleanUp` removes it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'provider-'));
  folders.add(folder);
  return folder;
}

/** For afterEach. */
export async function cleanUp(): Promise<void> {
  const gone = [...children].map(
    ({ child, detached }) =>
      new Promise((resolve) => {
        child.on('close', resolve);
        // npm passes a SIGKILL on to nobody.
        if (detached && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        else child.kill('SIGKILL');
      }),
  );
  await Promise.all(gone);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}
