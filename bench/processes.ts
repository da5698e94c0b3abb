/** Starts servers, waits until they listen, and ends exactly those processes that it started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Roots of what `start` has started and nobody has ended yet. */
const started = new Set<number>();
let ending = false;

/** Ends everything that was started here and still runs; nothing can be started after. */
export async function endAll(): Promise<void> {
  ending = true;
  await Promise.all([...started].map((pid) => endTree(pid)));
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

async function greets(port: number, withinMs = 15_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await greetsOnce(port))) {
    if (Date.now() > deadline) throw new Error(`nothing greets on port ${port}`);
    await sleep(50);
  }
}

function greetsOnce(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (greeted: boolean) => {
      socket.destroy();
      resolve(greeted);
    };
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.setTimeout(2000, () => end(false));
  });
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(command: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export interface Child {
  readonly pid: number;
  /** Resolves once it greets on all of `ports`. @throws with the end of its log if it does not; then it is ended */
  greets(...ports: readonly number[]): Promise<void>;
}

/** Starts a program that stays in the foreground; what it says goes into the file `log`. */
export function start(command: string, args: readonly string[], log: string): Child {
  // After a signal the scenario under way goes on for a moment, and might start its server anew.
  if (ending) throw new Error('the benchmark is ending');
  const output = openSync(log, 'a');
  const child = spawn(command, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} cannot be started`);
  started.add(pid);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`it ended with ${String(code)}`);
  });
  ended.catch(() => {});
  return {
    pid,
    async greets(...ports) {
      try {
        for (const port of ports) await Promise.race([greets(port), ended]);
      } catch (error) {
        await endTree(pid);
        const said = readFileSync(log, 'utf8').trim().slice(-2000);
        throw new Error(`${command} does not listen: ${String(error)}\n${said}`);
      }
    },
  };
}

/** Ends the tree below `pid`: asks first, then insists. Never touches a process that is not in it. */
export async function endTree(pid: number, patienceMs = 8000): Promise<void> {
  const tree = descendants(pid);
  signal(pid, 'SIGTERM');
  const deadline = Date.now() + patienceMs;
  while (tree.some(alive) && Date.now() < deadline) await sleep(50);
  for (const left of tree) signal(left, 'SIGKILL');
  started.delete(pid);
}

/** `pid` and everything below it, as of now. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The command, in parentheses, may hold anything; the parent is the second field after it.
      const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
      parents.set(Number(name), Number(parent));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [pid];
  for (const at of found)
    for (const [child, parent] of parents) if (parent === at) found.push(child);
  return found;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}
