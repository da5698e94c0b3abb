/** The tables of all extensions of one server put together. */
import type { Ability } from '@mail-server-kit/core';
import type { Command } from './command.ts';
import type {
  AppendData,
  CreateParameter,
  Enable,
  Extension,
  FetchItem,
  FetchModifier,
  ListReturn,
  ListSelection,
  SearchKey,
  SearchReturn,
  SelectParameter,
  SelectResponse,
  StatusItem,
  StoreModifier,
} from './extension.ts';

export interface Dialect {
  /** Capabilities that are shown before login too. */
  readonly early: readonly string[];
  /** Capabilities that are shown after login besides those. */
  readonly late: readonly string[];
  readonly commands: ReadonlyMap<string, Command>;
  readonly fetchItems: ReadonlyMap<string, FetchItem>;
  readonly fetchModifiers: ReadonlyMap<string, FetchModifier>;
  readonly storeModifiers: ReadonlyMap<string, StoreModifier>;
  readonly searchKeys: ReadonlyMap<string, SearchKey>;
  readonly searchReturns: ReadonlyMap<string, SearchReturn>;
  readonly statusItems: ReadonlyMap<string, StatusItem>;
  readonly selectParameters: ReadonlyMap<string, SelectParameter>;
  readonly selectResponses: readonly SelectResponse[];
  readonly createParameters: ReadonlyMap<string, CreateParameter>;
  readonly listSelections: ReadonlyMap<string, ListSelection>;
  readonly listReturns: ReadonlyMap<string, ListReturn>;
  readonly appendData: ReadonlyMap<string, AppendData>;
  readonly enables: ReadonlyMap<string, Enable>;
}

/** @throws TypeError if two extensions have a row of the same name */
export function createDialect(
  extensions: readonly Extension[],
  abilities: ReadonlySet<Ability>,
): Dialect {
  const usable = extensions.filter(({ needs = [] }) => needs.every((need) => abilities.has(need)));
  const capabilities = (early: boolean): string[] =>
    usable
      .filter((extension) => (extension.early ?? false) === early)
      .flatMap((extension) => extension.capabilities ?? []);
  return {
    early: capabilities(true),
    late: capabilities(false),
    commands: table(usable, 'command', (extension) => extension.commands),
    fetchItems: table(usable, 'FETCH item', (extension) => extension.fetchItems),
    fetchModifiers: table(usable, 'FETCH modifier', (extension) => extension.fetchModifiers),
    storeModifiers: table(usable, 'STORE modifier', (extension) => extension.storeModifiers),
    searchKeys: table(usable, 'search key', (extension) => extension.searchKeys),
    searchReturns: table(usable, 'SEARCH return option', (extension) => extension.searchReturns),
    statusItems: table(usable, 'STATUS item', (extension) => extension.statusItems),
    selectParameters: table(usable, 'SELECT parameter', (extension) => extension.selectParameters),
    selectResponses: usable.flatMap((extension) => extension.selectResponses ?? []),
    createParameters: table(usable, 'CREATE parameter', (extension) => extension.createParameters),
    listSelections: table(usable, 'LIST selection option', (extension) => extension.listSelections),
    listReturns: table(usable, 'LIST return option', (extension) => extension.listReturns),
    appendData: table(usable, 'APPEND data', (extension) => extension.appendData),
    enables: table(usable, 'ENABLE name', (extension) => extension.enables),
  };
}

type Named = { readonly name: string };

function table<Row extends Named>(
  extensions: readonly Extension[],
  name: string,
  rowsOf: (extension: Extension) => readonly Row[] | undefined,
): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>();
  for (const row of extensions.flatMap((extension) => rowsOf(extension) ?? [])) {
    if (rows.has(row.name)) throw new TypeError(`two extensions have the ${name} ${row.name}`);
    rows.set(row.name, row);
  }
  return rows;
}
