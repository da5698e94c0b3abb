import { describe, it } from 'vitest';
import { mailStoreContract } from './contract/index.ts';
import { createMemoryStore } from './memory.ts';

describe('MemoryStore', () => {
  mailStoreContract({ describe, it }, async () => createMemoryStore());
});
