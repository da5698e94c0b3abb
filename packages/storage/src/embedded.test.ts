import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { mailStoreContract } from './contract/index.ts';
import { openEmbeddedStore } from './embedded/store.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-store-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

describe('EmbeddedStore', () => {
  let count = 0;
  mailStoreContract({ describe, it }, () =>
    openEmbeddedStore(path.join(root, String(count++)), { segmentOctets: 262_144 }),
  );
});
