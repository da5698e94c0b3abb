import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { silent } from '@mail-server-kit/core';
import { fakeDisk } from '@mail-server-kit/core/testing';
import { mailStoreContract } from './contract/index.ts';
import { openJournalStore } from './embedded/engine.ts';
import { JournalWriter } from './embedded/journal-writer.js';
import { InlineLink } from './embedded/link.ts';
import { openEmbeddedStore, withDefaults } from './embedded/store.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-store-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

describe('EmbeddedStore', () => {
  let count = 0;
  mailStoreContract({ describe, it }, () =>
    openEmbeddedStore(path.join(root, String(count++)), { segmentOctets: 524_288 }),
  );
});

describe('EmbeddedStore whose memory keeps nothing that can be had again', () => {
  let count = 0;
  mailStoreContract({ describe, it }, () =>
    openEmbeddedStore(path.join(root, `small${count++}`), {
      segmentOctets: 524_288,
      cacheBytes: 1,
      // A checkpoint after each commit: so nothing has to stay because it is new.
      checkpointOctets: 1,
    }),
  );
});

describe('EmbeddedStore with a mirror', () => {
  let count = 0;
  mailStoreContract({ describe, it }, () => {
    const sides = [`${count}a`, `${count++}b`].map((name) => path.join(root, name));
    return openEmbeddedStore(sides as [string, string], { segmentOctets: 524_288 });
  });
});

describe('EmbeddedStore on a simulated disk', () => {
  mailStoreContract({ describe, it }, async () => {
    const disk = fakeDisk();
    return openJournalStore({
      ...withDefaults({ segmentOctets: 524_288 }),
      disk,
      link: (about) => new InlineLink(new JournalWriter(disk, about), silent),
    });
  });
});
