export { createMemoryStore, type MemoryStoreOptions } from './memory.ts';
