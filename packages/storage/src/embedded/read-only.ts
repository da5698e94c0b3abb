/**
 * A store that is only looked at: beside the process that owns it, or a copy on a medium that cannot be written. It takes no
 * lock, does not open the index, which has one owner, and sees what the journal held when it was opened.
 */
import fs from 'node:fs';
import path from 'node:path';
import { MailError, isMailError, type Clock, type MailStore } from '@mail-server-kit/core';
import { openJournalStore, type EngineOptions, type JournalStore } from './engine.ts';
import type { Done, Link } from './link.ts';
import { nodeDisk } from './node-disk.js';
import { keyDisksOf } from './vault/open.ts';

/** How often it is read again because its owner was writing, or compacting, just where it was read. */
const ATTEMPTS = 20;

/**
 * Commits fail with UNAVAILABLE.
 * @throws MailError NONEXISTENT if no store is there, CORRUPTION with the place, CANNOT if a later version wrote it
 */
export async function openReadOnly(
  directory: string,
  options: Omit<EngineOptions, 'disk' | 'link'>,
): Promise<MailStore & JournalStore> {
  const journal = path.join(directory, 'journal');
  if (!fs.existsSync(journal)) {
    throw new MailError('NONEXISTENT', `There is no mail store in ${directory}`);
  }
  const disk = nodeDisk(journal);
  const keyDisks = keyDisksOf(directory, false);
  const clock = withoutTimers(options.clock);
  let before = '';
  for (let attempt = 1; ; attempt++) {
    try {
      return await openJournalStore({
        ...options,
        clock,
        disk,
        keyDisks,
        link: () => new NoLink(),
        readOnly: true,
      });
    } catch (error) {
      // The owner may have written on between two looks at one place. Damage stays where it is.
      const now = placeOf(error);
      if (now === undefined || now === before || attempt === ATTEMPTS) throw error;
      before = now;
      await new Promise<void>((resolve) => setTimeout(resolve, 20));
    }
  }
}

function placeOf(error: unknown): string | undefined {
  if (isMailError(error, 'CORRUPTION')) return JSON.stringify(error.cause);
  const { code, path: file } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? file : undefined;
}

/** Records whose time is over are not seen, and nothing removes them. */
const withoutTimers = (clock: Clock): Clock => ({
  now: () => clock.now(),
  after: () => () => {},
});

class NoLink implements Link {
  readonly ready = 0;
  readonly full = false;
  readonly failed = new Error('the store was opened to be read');
  readonly backlog = 0;
  onProgress = (): void => {};

  want(): void {}

  write(
    _parts: readonly Uint8Array[],
    _segment: number,
    _offset: number,
    _sync: boolean,
    done: Done,
  ): void {
    done(this.failed);
  }

  async close(): Promise<void> {}
}
