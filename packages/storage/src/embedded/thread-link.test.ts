import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silent } from '@mail-server-kit/core';
import { ThreadLink } from './thread-link.ts';

describe('the journal thread', () => {
  let directory = '';
  afterEach(() => rmSync(directory, { recursive: true }));
  const options = () => ({
    directory: (directory = mkdtempSync(join(tmpdir(), 'thread-'))),
    octets: 65_536,
    store: new Uint8Array(16),
    generation: 1,
    ready: 1,
  });

  it('says that it runs', async () => {
    const link = new ThreadLink(options(), silent);
    await link.started;
    await link.close();
  });

  it('that cannot start says why, and fails what was written meanwhile', async () => {
    const missing = new URL('./left-behind.js', import.meta.url);
    const link = new ThreadLink(options(), silent, missing);
    const written = new Promise((resolve) => link.write([new Uint8Array(8)], 1, 64, true, resolve));
    await expect(link.started).rejects.toThrow('left-behind.js');
    expect(await written).toBe(link.failed);
    await link.close();
  });

  it('can be closed before it runs', async () => {
    await new ThreadLink(options(), silent).close();
  });
});
