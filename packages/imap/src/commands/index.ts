/** The commands of RFC 3501 and RFC 9051, and the rows that they bring to the tables. */
import type { Extension } from '../extension.ts';
import { append } from './append.ts';
import { authenticate } from './authenticate.ts';
import { capability } from './capability.ts';
import { check } from './check.ts';
import { close, unselect } from './close.ts';
import { copy } from './copy.ts';
import { create } from './create.ts';
import { deleteMailbox } from './delete.ts';
import { enable } from './enable.ts';
import { expunge } from './expunge.ts';
import { fetch } from './fetch.ts';
import { list } from './list.ts';
import { login } from './login.ts';
import { logout } from './logout.ts';
import { lsub } from './lsub.ts';
import { move } from './move.ts';
import { namespace } from './namespace.ts';
import { noop } from './noop.ts';
import { rename } from './rename.ts';
import { search } from './search.ts';
import { examine, select } from './select.ts';
import { startTls } from './starttls.ts';
import { status } from './status.ts';
import { store } from './store.ts';
import { subscribe, unsubscribe } from './subscribe.ts';
import { fetchItems } from '../fetch/items.ts';
import { listReturns, listSelections } from '../list/options.ts';
import { searchKeys } from '../search/keys.ts';
import { searchReturns } from '../search/returns.ts';
import { statusItems } from './status-items.ts';

export const base: Extension = {
  commands: [
    ...[capability, noop, logout, startTls, authenticate, login],
    ...[enable, select, examine, create, deleteMailbox, rename, subscribe, unsubscribe],
    ...[list, lsub, namespace, status, append],
    ...[check, close, unselect, expunge, search, fetch, store, copy, move],
  ],
  fetchItems,
  searchKeys,
  searchReturns,
  statusItems,
  listSelections,
  listReturns,
  // The client is told in another way from then on: no RECENT (RFC 9051 appendix E), names in UTF-8 (appendix A).
  enables: [{ name: 'IMAP4REV2', enable: () => {} }],
};
