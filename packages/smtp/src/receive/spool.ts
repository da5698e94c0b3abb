/**
 * A copy of a message for filters that want to read it before it is stored. Only made if there is such a filter. Small
 * messages are kept in memory, larger ones in a file that has no name any more once it is open, so that nothing is left
 * behind, whatever happens.
 */
import { randomBytes } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const IN_MEMORY = 128 * 1024;
const READ_SIZE = 64 * 1024;

export interface Spool {
  readonly size: number;
  write(octets: Buffer): Promise<void>;
  read(start?: number, end?: number): AsyncGenerator<Uint8Array, void, undefined>;
  close(): Promise<void>;
}

export function createSpool(): Spool {
  let size = 0;
  /** Not in the file yet. */
  let chunks: Buffer[] = [];
  let waiting = 0;
  let file: FileHandle | undefined;

  async function flush(): Promise<void> {
    file ??= await nameless();
    const octets = Buffer.concat(chunks);
    chunks = [];
    waiting = 0;
    await file.appendFile(octets);
  }

  return {
    get size() {
      return size;
    },
    async write(octets) {
      chunks.push(octets);
      size += octets.length;
      waiting += octets.length;
      if (waiting > IN_MEMORY) await flush();
    },
    async *read(start = 0, end = size) {
      if (file === undefined) {
        chunks = [Buffer.concat(chunks)];
        yield chunks[0]!.subarray(start, end);
        return;
      }
      if (waiting > 0) await flush();
      for (let at = start; at < Math.min(end, size);) {
        const wanted = Buffer.allocUnsafe(Math.min(READ_SIZE, end - at));
        const { bytesRead, buffer } = await file.read(wanted, 0, null, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
    async close() {
      chunks = [];
      await file?.close();
      file = undefined;
    },
  };
}

async function nameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `smtp-${randomBytes(16).toString('hex')}`);
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
  } catch (error) {
    // Where open files cannot be unlinked, better no copy than one that stays.
    await file.close();
    throw error;
  }
  return file;
}
