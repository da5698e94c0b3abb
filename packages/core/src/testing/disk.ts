/**
 * Files in memory as a careless system keeps them: what was not synced may be lost, arrive out of order or in part when
 * the power goes; a disk may be full, broken or rotten.
 */
import type { Disk, DiskFile } from '../world.ts';
import { SimulatedFile } from './disk-file.ts';
import { seededRandom } from './random.ts';

export interface FakeDisk extends Disk {
  /**
   * The power goes. Of each file, every 512-octet sector is as it was synced or as one of the writes since has left it,
   * and its size too, each by itself; of names created, removed or renamed since `syncDirectory`, some are and some are
   * not. Open files become useless; the disk does not.
   */
  crash(): void;
  /**
   * The next call (after `after` successful ones) fails so. A failed write may have written a part. After a failed sync
   * the system takes what was not synced for clean: it still reads it, but the next sync succeeds without writing it.
   */
  fail(
    call: 'sync' | 'write' | 'truncate' | 'open' | 'syncDirectory',
    code: 'EIO' | 'ENOSPC',
    after?: number,
  ): void;
  /** Nothing is going to fail any more, and there is room. */
  mend(): void;
  /** Another disk with the same files, as they are seen now; all of it is on it. */
  copy(): FakeDisk;
  /** Rot: one bit of one octet, on the disk and in what is read. @throws TypeError beyond the end */
  flip(name: string, position: number, bit?: number): void;
  /** Octets of all files together; beyond it writes fail with ENOSPC. Default: no limit. */
  capacity: number;
  /** Octets of all files together. */
  readonly used: number;
  /** Calls so far, for tests that fail or crash at every one of them. */
  readonly calls: Readonly<Record<'sync' | 'write' | 'syncDirectory', number>>;
}

interface NameChange {
  readonly remove?: string;
  readonly put?: readonly [name: string, file: SimulatedFile];
}

export function fakeDisk({
  seed = 1,
  capacity = Infinity,
}: { seed?: number; capacity?: number } = {}): FakeDisk {
  const random = seededRandom(seed);
  let names = new Map<string, SimulatedFile>();
  let durableNames = new Map<string, SimulatedFile>();
  let unsynced: NameChange[] = [];
  /** Counts crashes; files opened before the last are useless. */
  let life = 0;
  const calls = { sync: 0, write: 0, syncDirectory: 0 };
  const failures = new Map<string, { code: string; after: number }>();

  function used(): number {
    let octets = 0;
    for (const file of new Set(names.values())) octets += file.size;
    return octets;
  }

  /** The code with which this call has to fail, if it has to. */
  function failing(call: string): string | undefined {
    const failure = failures.get(call);
    if (!failure || failure.after-- > 0) return undefined;
    failures.delete(call);
    return failure.code;
  }

  function existing(name: string, call: string): SimulatedFile {
    const file = names.get(name);
    if (!file) throw systemError('ENOENT', call);
    return file;
  }

  function handle(file: SimulatedFile, writable: boolean): DiskFile {
    const born = life;
    let open = true;
    function check(call: string, writes = false): void {
      if (!open || born !== life || (writes && !writable)) throw systemError('EBADF', call);
    }
    return {
      write(parts, position) {
        check('write', true);
        calls.write++;
        const octets = Buffer.concat(parts);
        const grows = Math.max(0, position + octets.length - file.size);
        const code = failing('write') ?? (used() + grows > capacity ? 'ENOSPC' : undefined);
        if (code === undefined) {
          file.write(octets, position);
          return;
        }
        const part = octets.subarray(0, random.integer(octets.length));
        if (used() + Math.max(0, position + part.length - file.size) <= capacity)
          file.write(part, position);
        throw systemError(code, 'write');
      },
      read(into, position) {
        check('read');
        return file.read(into, position);
      },
      size() {
        check('fstat');
        return file.size;
      },
      truncate(size) {
        check('ftruncate', true);
        const full = used() + Math.max(0, size - file.size) > capacity;
        const code = failing('truncate') ?? (full ? 'ENOSPC' : undefined);
        if (code !== undefined) throw systemError(code, 'ftruncate');
        file.truncate(size);
      },
      sync() {
        check('fdatasync');
        calls.sync++;
        const code = failing('sync');
        if (code === undefined) {
          file.sync();
          return;
        }
        file.loseUnsynced(random);
        throw systemError(code, 'fdatasync');
      },
      close() {
        check('close');
        open = false;
      },
    };
  }

  function change(change: NameChange): void {
    unsynced.push(change);
    apply(names, change);
  }

  return {
    list: () => [...names.keys()].sort(),
    free: () => Math.max(0, capacity - used()),
    open(name, mode) {
      if (name === '' || name.includes('/') || name === '.' || name === '..')
        throw systemError('EINVAL', 'open');
      const code = failing('open');
      if (code !== undefined) throw systemError(code, 'open');
      if (mode === 'write' && !names.has(name)) change({ put: [name, new SimulatedFile()] });
      return handle(existing(name, 'open'), mode === 'write');
    },
    remove(name) {
      existing(name, 'unlink');
      change({ remove: name });
    },
    rename(from, to) {
      const file = existing(from, 'rename');
      if (from !== to) change({ remove: from, put: [to, file] });
    },
    syncDirectory() {
      calls.syncDirectory++;
      const code = failing('syncDirectory');
      if (code !== undefined) throw systemError(code, 'fsync');
      durableNames = new Map(names);
      unsynced = [];
    },
    crash() {
      life++;
      // Sometimes nothing had reached the disk, sometimes all, mostly this and that.
      const kept = random.pick([0, 1, 0.5]);
      for (const made of unsynced) if (random.chance(kept)) apply(durableNames, made);
      for (const file of new Set(durableNames.values())) file.crash(random);
      names = new Map(durableNames);
      unsynced = [];
      failures.clear();
    },
    fail(call, code, after = 0) {
      failures.set(call, { code, after });
    },
    mend() {
      failures.clear();
      capacity = Infinity;
    },
    copy() {
      const other = fakeDisk({ seed: random.integer(2 ** 32) });
      for (const [name, file] of names) {
        const octets = new Uint8Array(file.size);
        file.read(octets, 0);
        const handle = other.open(name, 'write');
        handle.write([octets], 0);
        handle.sync();
        handle.close();
      }
      other.syncDirectory();
      return other;
    },
    flip(name, position, bit = 0) {
      existing(name, 'open').flip(position, bit);
    },
    get capacity() {
      return capacity;
    },
    set capacity(octets) {
      capacity = octets;
    },
    get used() {
      return used();
    },
    calls,
  };
}

/** A rename is one change: journaling file systems never show half of it. */
function apply(names: Map<string, SimulatedFile>, { remove, put }: NameChange): void {
  if (remove !== undefined) names.delete(remove);
  if (put) names.set(put[0], put[1]);
}

function systemError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${syscall}`), { code, syscall });
}
