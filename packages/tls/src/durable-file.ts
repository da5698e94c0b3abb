/** Files that are there whole or not at all, also after the power failed. */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WriteOptions {
  readonly mode: number;
  /** Fails with EEXIST instead of replacing. */
  readonly exclusive?: boolean;
}

export async function writeDurably(
  path: string,
  text: string,
  { mode, exclusive = false }: WriteOptions,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  // The mode from the first moment on: a key must not be readable for the blink of a chmod.
  const file = await open(temporary, 'wx', mode);
  try {
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await (exclusive ? link(temporary, path) : rename(temporary, path));
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** Undefined: there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; its renames are journaled by NTFS.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
