/** The directories that the index is in. */
import fs from 'node:fs';

export const isMissing = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';

/** Not what is above it: a disk that was taken away must not be begun anew below where it was. */
export function makeDirectory(name: string): void {
  try {
    fs.mkdirSync(name, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
