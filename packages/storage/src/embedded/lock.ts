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

/**
 * Returns the function that gives the directory back.
 * @throws MailError UNAVAILABLE, naming the process that owns it
 */
export function lockDirectory(directory: string): () => void {
  const file = path.join(directory, 'lock');
  const me: Owner = { pid: process.pid, started: startOf(process.pid) };
  for (let attempt = 0; attempt < 10; attempt++) {
    if (create(file, me)) return () => fs.rmSync(file, { force: true });
    const owner = read(file);
    if (owner && isAlive(owner)) {
      throw new MailError('UNAVAILABLE', `${directory} is in use by process ${owner.pid}`);
    }
    takeAway(file, owner);
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

/** Two processes may find the same stale lock: only the one that moves just that away may go on. */
function takeAway(file: string, stale: Owner | undefined): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    fs.renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = read(aside);
  if (moved && (moved.pid !== stale?.pid || moved.started !== stale.started)) {
    // Somebody was faster, and this is already the new lock: back with it.
    try {
      fs.linkSync(aside, file);
    } catch {
      // A third one has the place now; the owner of `aside` is found out by Level's own lock.
    }
  }
  fs.rmSync(aside, { force: true });
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
