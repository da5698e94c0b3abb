export { createMemoryStore, type MemoryStoreOptions } from './memory.ts';
export {
  openEmbeddedStore,
  type EmbeddedStore,
  type EmbeddedStoreOptions,
} from './embedded/store.ts';
export {
  createKeyFile,
  keyFile,
  passphrase,
  type MasterKey,
  type PassphraseOptions,
} from './embedded/vault/master-key.ts';
export type { Encryption } from './embedded/vault/open.ts';
export type { SearchIndex, SearchOptions, SearchStats } from './search/index.ts';
export type { SyncMode } from './embedded/syncing.ts';
