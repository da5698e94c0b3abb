/** Starts the server under test as a process of its own, from the builds if they are there. */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import typescript from 'typescript';
import { endTree, freePorts, start } from '../processes.ts';

export interface Ours {
  /** Of the process that runs now. */
  readonly pid: number;
  readonly smtp: number;
  readonly lmtp: number;
  readonly imap: number;
  /** What runs, for whoever reads the figures. */
  readonly how: string;
  /** Ends it in order and starts it over the same data and ports, with nothing in memory. */
  restart(): Promise<void>;
}

const repository = fileURLToPath(new URL('../../', import.meta.url));
const source = fileURLToPath(new URL('server.ts', import.meta.url));

export async function startOurs({
  root,
  profile,
}: {
  root: string;
  /** A folder for CPU profiles, one per thread and start. */
  profile: string | undefined;
}): Promise<Ours> {
  const [smtp, lmtp, imap] = (await freePorts(3)) as [number, number, number];
  const { how, args } = program();
  const profiling = profile ? ['--cpu-prof', '--cpu-prof-dir', resolve(profile)] : [];
  const flags = Object.entries({ data: join(root, 'ours'), smtp, lmtp, imap }).flatMap(
    ([name, value]) => [`--${name}`, String(value)],
  );
  const log = join(root, 'ours.log');
  const launch = async () => {
    const child = start(process.execPath, [...profiling, ...args, ...flags], log);
    await child.greets(smtp, lmtp, imap);
    return child.pid;
  };
  let pid = await launch();
  return {
    get pid() {
      return pid;
    },
    smtp,
    lmtp,
    imap,
    how: `${how}, sync always${profile ? ', profiled (slower)' : ''}`,
    async restart() {
      await endTree(pid);
      pid = await launch();
    },
  };
}

/**
 * The builds, run by Node alone, are what people install. Without them, or with sources that are newer, tsx runs the
 * sources: it keeps a compiler in memory and wraps functions, so memory is not comparable then.
 */
function program(): { how: string; args: string[] } {
  const stale = readdirSync(join(repository, 'packages')).filter((name) => !isBuilt(name));
  if (stale.length > 0) {
    return {
      how: `from the sources by tsx, memory not comparable (npm run build is due: ${stale.join(', ')})`,
      args: ['--conditions=@mail-server-kit/source', '--import', 'tsx', source],
    };
  }
  // Below the repository, so that the packages are found from there.
  const folder = join(repository, 'node_modules/.cache/mail-server-kit');
  const compiled = join(folder, 'bench-server.mjs');
  mkdirSync(folder, { recursive: true });
  const { outputText } = typescript.transpileModule(readFileSync(source, 'utf8'), {
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: typescript.ModuleKind.ESNext,
    },
  });
  writeFileSync(compiled, outputText);
  return { how: 'from the builds', args: [compiled] };
}

function isBuilt(name: string): boolean {
  const folder = join(repository, 'packages', name);
  const build = join(folder, 'dist/index.js');
  return existsSync(build) && newest(join(folder, 'src')) <= statSync(build).mtimeMs;
}

/** Milliseconds since 1970 of the youngest source; tests are not built. */
function newest(folder: string): number {
  return Math.max(
    0,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}
