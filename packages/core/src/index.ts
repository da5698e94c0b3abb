export {
  parseAddress,
  parseDomain,
  parseReversePath,
  parseForwardPath,
  needsSmtpUtf8,
  printAddress,
  printDomain,
  addressKey,
  sameDomain,
  type Address,
} from './address.ts';
export {
  asId,
  MAX_UID,
  type Id,
  type AccountId,
  type MailboxId,
  type EmailId,
  type ThreadId,
  type StageId,
  type Cursor,
  type Uid,
  type UidValidity,
  type ModSeq,
  type Lsn,
} from './numbers.ts';
export {
  uidRanges,
  ascending,
  normalize,
  eachUid,
  countUids,
  hasUid,
  lowerBound,
  unite,
  intersect,
  subtract,
  printUids,
  type UidRange,
  type UidRanges,
} from './uidset.ts';
export { systemFlags, flagBit, MAX_FLAGS, canonicalFlag, flagsOf } from './flags.ts';
export { MailError, isMailError, type Reason, type MailErrorOptions } from './errors.ts';
export type { Envelope, Recipient, DsnNotify } from './envelope.ts';
export {
  BLOCK_SIZE,
  expungedMailboxOf,
  isExpungedMailbox,
  type Ability,
  type Block,
  type Change,
  type Commit,
  type Content,
  type ExpungedInfo,
  type Facts,
  type Limits,
  type MailboxInfo,
  type MailboxLimits,
  type MailboxSnapshot,
  type MailStore,
  type NewMessage,
  type Part,
  type Query,
  type Row,
  type Slice,
  type Source,
  type Stage,
  type StageOptions,
  type StoredRecord,
  type Write,
  type WriteResult,
} from './store.ts';
export type {
  Account,
  Directory,
  LoginContext,
  Protocol,
  Resolution,
  Route,
  ScramAttempt,
} from './directory.ts';
export {
  proceed,
  accept,
  discard,
  reject,
  defer,
  type Client,
  type Filter,
  type FilterRecords,
  type FilterWorld,
  type MessageToFilter,
  type Verdict,
} from './filter.ts';
export type { Relay } from './relay.ts';
export { createAccess, type Access, type AccessOptions } from './access.ts';
export { ownerRights, rightsOf, rightToFlag, type Right } from './access/rights.ts';
export {
  systemClock,
  type Answer,
  type Clock,
  type Dialer,
  type Disk,
  type DiskFile,
  type Random,
  type Resolver,
} from './world.ts';
export { decodeUtf7, encodeUtf7 } from './utf7.ts';
export { silent, type Log, type LogEvent } from './log.ts';
export type { TlsProvider, TlsServerOptions, TlsState } from './tls.ts';
export {
  createMailServer,
  type ListenAddress,
  type MailServer,
  type MailServerOptions,
  type Service,
} from './server.ts';
export type {
  ChannelBindings,
  MechanismName,
  SaslExchange,
  SaslOptions,
  SaslStep,
} from './sasl/exchange.ts';
export type { SaslClient, SaslClientOptions } from './sasl/client.ts';
export {
  createSaslClient,
  createSaslExchange,
  isMechanismName,
  saslMechanisms,
} from './sasl/mechanisms.ts';
export { channelBindings } from './sasl/channel-bindings.ts';
export { makeScramCredentials, type ScramOptions } from './sasl/scram.ts';
export type { ScramCredentials } from './sasl/scram-credentials.ts';
