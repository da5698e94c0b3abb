export { createMemoryStore, type MemoryStoreOptions } from './memory.ts';
export {
  openEmbeddedStore,
  type EmbeddedStore,
  type EmbeddedStoreOptions,
} from './embedded/store.ts';
export type { SearchIndex, SearchOptions, SearchStats } from './search/index.ts';
export type { SyncMode } from './embedded/syncing.ts';
