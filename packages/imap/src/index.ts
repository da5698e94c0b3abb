export {
  createImapServer,
  type ImapListener,
  type ImapServer,
  type ImapServerOptions,
} from './server.ts';
export { defaultLimits, type ImapLimits } from './limits.ts';
export { allExtensions } from './extensions/index.ts';
export type {
  AppendData,
  CreateParameter,
  Enable,
  Extension,
  FetchItem,
  FetchMessage,
  FetchModifier,
  FetchPart,
  ListReturn,
  ListSelection,
  ListShow,
  SearchExtra,
  SearchKey,
  SearchNode,
  SearchParsing,
  SearchReturn,
  SelectParameter,
  SelectResponse,
  StatusItem,
  StoreModifier,
} from './extension.ts';
export { FLAGS, uidColumn, type Column, type NumberColumn } from './columns.ts';
export type { ListEntry } from './list-entry.ts';
export {
  ANSWERED,
  command,
  nothing,
  type Call,
  type Command,
  type Completion,
  type Definition,
  type Parsing,
  type Talk,
} from './command.ts';
export type { Peer, Session, State, Wiring } from './session.ts';
export type { Respond } from './respond.ts';
export type { View } from './view.ts';
export type { Rows } from './rows.ts';
export { bad, no, Refusal } from './outcome.ts';
export { Reader, LAST, type ReaderOptions, type SequenceSet } from './wire/reader.ts';
export { Problem } from './wire/problem.ts';
export type { Writer } from './wire/writer.ts';
export { Upload } from './upload.ts';
