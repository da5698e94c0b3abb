/** Gives a store its search index, in a directory of its own beside the journal. */
import path from 'node:path';
import type { AccountId, Clock, Cursor, Log, MailStore } from '@mail-server-kit/core';
import { Search, type SearchIndex, type SearchOptions } from '../search/index.ts';
import { cursorOf } from '../state/feed.ts';
import type { JournalStore } from './engine.ts';
import { placeOf } from './layout.js';

export interface AttachOptions {
  /** Of the store. */
  readonly directory: string;
  readonly id: Uint8Array;
  readonly search: SearchOptions;
  readonly clock: Clock;
  readonly log: Log;
}

export type Searching = Required<Pick<MailStore, 'search'>> & { readonly searchIndex: SearchIndex };

export function attachSearch(
  store: JournalStore,
  { directory, id, search: options, clock, log }: AttachOptions,
): JournalStore & Searching {
  const { vault } = store;
  const search = new Search({
    ...options,
    ...{ mail: store, directory: path.join(directory, 'search'), store: id, clock, log },
    ...(vault ? { keyOf: (account) => vault.searchKey(account) } : {}),
    accounts: () => existing(store),
    end: () => placeOf(store.journal.end.segment, store.journal.end.offset),
    last: (): Cursor => cursorOf(store.journal.durable),
  });
  const { beforeClose } = store;
  store.beforeClose = async () => {
    await search.close();
    await beforeClose();
  };
  return Object.assign(store, {
    abilities: new Set([...store.abilities, 'search' as const]),
    search: search.search.bind(search),
    searchIndex: search,
  });
}

function* existing({ world }: JournalStore): Generator<AccountId, void> {
  for (const [id, { durable }] of world.accounts) if (durable && !durable.destroyed) yield id;
}
