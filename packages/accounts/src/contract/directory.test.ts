import { fakeDirectory } from '@mail-server-kit/core/testing';
import { createMemoryStore } from '@mail-server-kit/storage';
import { describe, it } from 'vitest';
import { createAccounts } from '../accounts.ts';
import { cheap } from '../cheap.fixture.ts';
import { directoryContract } from './index.ts';

describe('createAccounts', () => {
  directoryContract({ describe, it }, async ({ accounts, aliases }) => {
    const store = createMemoryStore();
    const directory = createAccounts({ store, hashing: cheap });
    await directory.addDomain('example.org');
    for (const { address, password, protocols } of accounts) {
      await directory.addAccount(address, password, { protocols });
    }
    for (const [address, targets] of Object.entries(aliases)) {
      await directory.addAlias(address, targets);
    }
    return {
      ...directory,
      async close() {
        await directory.close();
        await store.close();
      },
    };
  });
});

describe('fakeDirectory of core/testing', () => {
  directoryContract({ describe, it }, async (inhabitants) => fakeDirectory(inhabitants));
});
