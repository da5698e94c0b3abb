/**
 * One process owns a data directory. The lock file says who, so that the next one can say so too; a lock whose process is
 * gone is taken over.
 */
import fs from 'node:fs';
import path from 'node:path';
import { MailError } from '@mail-server-kit/core';

interface Owner {
  readonly pid: number;
  /** Tells this process from a later one with the same number, where the system knows it. */
  readonly started: string;
}

const ATTEMPTS = 50;
const WAIT_MS = 5;

/**
 * Returns the function that gives the directory back.
 * @throws MailError UNAVAILABLE, naming the process that owns it
 */
export function lockDirectory(directory: string): () => void {
  const file = path.join(directory, 'lock');
  const me: Owner = { pid: process.pid, started: startOf(process.pid) };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(file, me)) return () => fs.rmSync(file, { force: true });
    const owner = read(file);
    if (owner && isAlive(owner)) {
      throw new MailError('UNAVAILABLE', `${directory} is in use by process ${owner.pid}`);
    }
    takeAway(file, owner, me);
  }
  throw new MailError('UNAVAILABLE', `${directory} is being opened by another process`);
}

/** Atomic, with its contents: the link comes into being when everything is written. */
function create(file: string, owner: Owner): boolean {
  const own = `${file}.${owner.pid}.${process.hrtime.bigint()}`;
  fs.writeFileSync(own, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  try {
    fs.linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function read(file: string): Owner | undefined {
  try {
    const owner = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<Owner>;
    if (!Number.isSafeInteger(owner.pid) || typeof owner.started !== 'string') return undefined;
    return owner as Owner;
  } catch {
    // Gone meanwhile, or no lock of ours.
    return undefined;
  }
}

/**
 * Several processes may find the same stale lock, and one of them may have a new one already when another comes to remove
 * the old: so whoever removes holds a second file meanwhile, and looks again.
 */
function takeAway(file: string, stale: Owner | undefined, me: Owner): void {
  const guard = `${file}.taking`;
  if (!create(guard, me)) {
    const other = read(guard);
    // It died in the middle of a few calls, or is about to be done.
    if (!other || !isAlive(other)) fs.rmSync(guard, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    return;
  }
  try {
    const now = read(file);
    if (now?.pid === stale?.pid && now?.started === stale?.started) {
      fs.rmSync(file, { force: true });
    }
  } finally {
    fs.rmSync(guard, { force: true });
  }
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startOf(pid);
  return now === '' || started === '' || now === started;
}

/** Boot and clock tick in which a process began; empty where there is no /proc. */
function startOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot} ${fields[19]}`;
  } catch {
    return '';
  }
}
