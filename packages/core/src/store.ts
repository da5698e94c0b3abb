/**
 * The contract between protocols and storage. No MIME, no SQL, no socket: values in, values out; every value survives
 * structuredClone, so that a store may live in another thread or machine. `@mail-server-kit/storage/contract` tests any
 * implementation.
 *
 * Octets are always asked for by way of what holds them (a message of a mailbox, or a record), never by a name of their
 * own: so one permission check in front of the store (access.ts) covers every read, and an account's key can be
 * destroyed without looking for other doors.
 */
import type {
  AccountId,
  Cursor,
  EmailId,
  MailboxId,
  ModSeq,
  StageId,
  ThreadId,
  Uid,
  UidValidity,
} from './numbers.ts';
import type { UidRanges } from './uidset.ts';

/** What a message is made of, in order: trace headers before a shared body, CATENATE, Sieve editheader. */
export type Content = readonly Slice[];
export type Slice =
  | Uint8Array
  | { readonly stage: StageId; readonly start?: number; readonly end?: number }
  | {
      readonly mailbox: MailboxId;
      readonly uid: Uid;
      readonly start?: number;
      readonly end?: number;
    };

/**
 * What the caller found out while the octets passed (package mime computes it). The store keeps it as it is and does not
 * look inside. Text for search is not among it: it is derived from the octets by a versioned function when an index wants
 * it, so that delivery neither computes nor journals it.
 */
export interface Facts {
  /** Version of the code that computed it; a reader that does not know it computes again from the octets. */
  readonly version: number;
  /** ENVELOPE as ready bytes, parentheses included (RFC 9051 section 7.5.2). */
  readonly envelope: Uint8Array;
  /** Part tree with octet offsets, from which BODY, BODYSTRUCTURE and sections are rendered. Package mime knows its form. */
  readonly structure: Uint8Array;
  /** False: ENVELOPE or BODYSTRUCTURE hold octets above 127. */
  readonly ascii: boolean;
  /** At most 200 characters (RFC 8970 section 3.1). */
  readonly preview: string;
  /** Keys of SORT (RFC 5256 section 3): `sentDate` in ms, `subject` the base subject; `from`, `to`, `cc` the mailbox of the first address. */
  readonly sort: {
    readonly sentDate: number;
    readonly subject: string;
    readonly from: string;
    readonly to: string;
    readonly cc: string;
  };
  /** Normalised message ids without angle brackets, for THREAD=REFERENCES (RFC 5256 section 3). */
  readonly thread: { readonly messageId: string; readonly references: readonly string[] };
}

export interface NewMessage {
  readonly content: Content;
  readonly facts: Facts;
  readonly flags: readonly string[];
  /** Milliseconds since 1970. */
  readonly internalDate: number;
  /** Minutes east of UTC that the client gave with INTERNALDATE; shown again as given. Default 0. */
  readonly internalZone?: number;
  /** Given by restore, import and JMAP copy; otherwise the store chooses. */
  readonly emailId?: EmailId;
  readonly saveDate?: number;
}

interface In {
  readonly mailbox: MailboxId;
}

/** One change. A commit is a list of them, applied in order, all or none. */
export type Write =
  | ({ readonly op: 'append' } & In & NewMessage)
  /** Exactly one of `set` or `add`/`remove`. Messages changed after `unchangedSince` are left alone and named in `conflicts` (RFC 7162 section 3.1.3). */
  | ({
      readonly op: 'store';
      readonly uids: UidRanges;
      readonly add?: readonly string[];
      readonly remove?: readonly string[];
      readonly set?: readonly string[];
      readonly unchangedSince?: ModSeq;
    } & In)
  /** Flags, internal date and email id go along. Uids that are not there are passed over. */
  | ({ readonly op: 'copy' | 'move'; readonly uids: UidRanges; readonly to: MailboxId } & In)
  /** `onlyDeleted`: those that have \Deleted at the moment of the commit. */
  | ({ readonly op: 'expunge'; readonly uids: UidRanges; readonly onlyDeleted?: boolean } & In)
  /**
   * Brings expunged messages back: `mailbox` and `uids` as `expunged` and `open` tell them. To where they were, or to `to`. Flags
   * (but \\Deleted), internal date and email id are as they were, and they count for the quota again. With the ability 'undelete'.
   * @throws NONEXISTENT if the mailbox is no longer there and `to` is not given, OVERQUOTA, CANNOT for what was not expunged
   */
  | ({ readonly op: 'undelete'; readonly uids: UidRanges; readonly to?: MailboxId } & In)
  /** Expunges `uid` and appends the new message to `to` (RFC 8508). @throws NONEXISTENT if `uid` is not there */
  | ({ readonly op: 'replace'; readonly uid: Uid; readonly to: MailboxId } & In & NewMessage)
  /**
   * `name`: levels joined by `/`, UTF-8 in NFC, no empty level, no control characters; INBOX in any letter case is INBOX.
   * Parents are not created by themselves. @throws ALREADYEXISTS
   */
  | {
      readonly op: 'createMailbox';
      readonly account: AccountId;
      readonly name: string;
      readonly specialUse?: string;
      readonly subscribed?: boolean;
      readonly mailboxId?: MailboxId;
      readonly uidValidity?: UidValidity;
    }
  /** Children too. INBOX: its messages move to the new mailbox and it stays, empty, without its children (RFC 9051 section 6.3.6). */
  | ({ readonly op: 'renameMailbox'; readonly name: string } & In)
  /** Children stay. INBOX cannot be deleted: CANNOT. */
  | ({ readonly op: 'deleteMailbox' } & In)
  | ({
      readonly op: 'setMailbox';
      readonly subscribed?: boolean;
      readonly specialUse?: string | null;
      /** Rights of RFC 4314 by account; null removes. */
      readonly acl?: readonly (readonly [who: AccountId, rights: string | null])[];
      /** Entries of RFC 5464; null removes. */
      readonly metadata?: readonly (readonly [entry: string, value: Uint8Array | null])[];
      /** Those that are named change; null removes. What is there already stays, though it be more. */
      readonly limits?: { readonly [Name in keyof MailboxLimits]?: number | null };
    } & In)
  /** Makes INBOX too. @throws ALREADYEXISTS */
  | { readonly op: 'createAccount'; readonly account: AccountId; readonly limits?: Partial<Limits> }
  /** Everything the account owns, its records included. The id is never given again: createAccount with it throws ALREADYEXISTS. */
  | { readonly op: 'destroyAccount'; readonly account: AccountId }
  | { readonly op: 'setAccount'; readonly account: AccountId; readonly limits: Partial<Limits> }
  /** Subscriptions of names without a mailbox (RFC 9051 section 6.3.7 lets a name be subscribed that does not exist). */
  | {
      readonly op: 'subscribeName';
      readonly account: AccountId;
      readonly name: string;
      readonly subscribed: boolean;
    }
  /**
   * Everything that is no message: scripts, queue, greylist, accounts. `space` and `key`: 1 to 200 octets of UTF-8. `expires`: ms
   * since 1970, after which the record is gone. `account`: who owns it, for quota, key and destruction.
   */
  | {
      readonly op: 'putRecord';
      readonly space: string;
      readonly key: string;
      readonly value: Uint8Array;
      readonly content?: Content;
      readonly expires?: number;
      readonly account?: AccountId;
    }
  | { readonly op: 'deleteRecord'; readonly space: string; readonly key: string }
  /** Fails the whole commit with CONFLICT if the record is at another version; 0: it must not exist. */
  | {
      readonly op: 'expectRecord';
      readonly space: string;
      readonly key: string;
      readonly version: number;
    }
  /** Fails the whole commit with CONFLICT if the mailbox has changed since. */
  | ({ readonly op: 'expectMailbox'; readonly modSeq: ModSeq } & In);

/** Each is counted exactly, and in the commit that changes it. What would exceed one is OVERQUOTA; what frees never is. */
export interface Limits {
  /** Of messages and records (STORAGE, RFC 9208 section 5.1, where it is counted in units of 1024). */
  readonly octets: number;
  /** MESSAGE, RFC 9208 section 5.2. */
  readonly messages: number;
  /** MAILBOX, RFC 9208 section 5.3. */
  readonly mailboxes: number;
  /** Of one message. */
  readonly messageOctets: number;
}

/** Of one mailbox, its children not counted, beside those of its account: a quota root of its own (RFC 9208 section 3.2). */
export type MailboxLimits = Partial<Pick<Limits, 'octets' | 'messages'>>;

/** One per write, in their order. */
export interface WriteResult {
  readonly modSeq?: ModSeq;
  readonly mailbox?: MailboxId;
  readonly uidValidity?: UidValidity;
  /** Pairs uids of the source with those given at the destination, in order (COPYUID, RFC 9051 section 7.1). */
  readonly copies?: { readonly from: UidRanges; readonly to: UidRanges };
  /** Of an appended message (APPENDUID). */
  readonly uid?: Uid;
  readonly emailId?: EmailId;
  /** Messages left alone because of `unchangedSince` (MODIFIED, RFC 7162 section 3.1.3). */
  readonly conflicts?: UidRanges;
  readonly expunged?: UidRanges;
  /** Of a record, from 1, one more with each put, not reset by a delete. */
  readonly version?: number;
}

export interface Commit {
  readonly cursor: Cursor;
  readonly results: readonly WriteResult[];
}

/** Messages per block, at most. */
export const BLOCK_SIZE = 512;

/**
 * Up to 512 messages, as columns of equal length. Immutable; an unchanged block is the very same object in the next
 * snapshot, which is how views find what changed without comparing 100,000 rows. Columns may be backed by a
 * SharedArrayBuffer.
 *
 * What a block says of itself costs nothing. A store may read the columns only when one is asked for: so whoever looks at
 * many rows takes a column once and not for each row, and whoever need not look does not. Asking throws MailError CORRUPTION
 * if they are lost.
 */
export interface Block {
  /** Messages. */
  readonly length: number;
  readonly firstUid: Uid;
  readonly lastUid: Uid;
  /** Messages without \Seen. */
  readonly unseen: number;
  readonly uid: Uint32Array;
  /** Bits index `flagNames` of the snapshot: 0 to 31 here, 32 to 63 in `flagsHigh`. */
  readonly flagsLow: Uint32Array;
  readonly flagsHigh: Uint32Array;
  /** Octets (RFC822.SIZE). */
  readonly size: Uint32Array;
  readonly modSeq: Float64Array;
  /** Milliseconds since 1970. */
  readonly internalDate: Float64Array;
  /** Minutes east of UTC. */
  readonly internalZone: Int16Array;
  readonly saveDate: Float64Array;
}

/** A mailbox at one moment; it never changes. */
export interface MailboxSnapshot {
  readonly mailbox: MailboxId;
  readonly account: AccountId;
  readonly uidValidity: UidValidity;
  readonly uidNext: Uid;
  readonly highestModSeq: ModSeq;
  /** What vanished at or below this modseq is forgotten; QRESYNC then reports all uids that are not there. */
  readonly vanishedFrom: ModSeq;
  readonly messages: number;
  /** At most 64, system flags first (flags.ts). A bit, once given in a mailbox, keeps its name. */
  readonly flagNames: readonly string[];
  /** Ascending by uid, none of them empty. */
  readonly blocks: readonly Block[];
}

export type Part = 'envelope' | 'structure' | 'preview' | 'sort' | 'thread' | 'ids';

export interface Row {
  readonly uid: Uid;
  /** What was asked for; `version` and `ascii` always. */
  readonly facts: Partial<Facts> & Pick<Facts, 'version' | 'ascii'>;
  /** With 'ids'. */
  readonly emailId?: EmailId;
  /** With 'ids', of a store that has the ability 'threads'. */
  readonly threadId?: ThreadId;
}

/** STATUS without opening. */
export interface MailboxInfo {
  readonly id: MailboxId;
  readonly account: AccountId;
  readonly name: string;
  readonly specialUse?: string;
  readonly subscribed: boolean;
  readonly uidValidity: UidValidity;
  readonly uidNext: Uid;
  readonly highestModSeq: ModSeq;
  readonly messages: number;
  readonly unseen: number;
  readonly deleted: number;
  /** Sum of the sizes of its messages (STATUS SIZE). */
  readonly octets: number;
  /** What `messages` and `octets` may become. */
  readonly limits: MailboxLimits;
  readonly acl: readonly (readonly [who: AccountId, rights: string])[];
}

/**
 * Expunged messages of one mailbox, which may be gone itself. `open` takes `id`, and the messages can be fetched and read; their
 * `saveDate` says when they were expunged. No write takes it (CANNOT) but `undelete`, and `expunge`, which removes them for good
 * once that is 10 minutes ago.
 */
export interface ExpungedInfo {
  readonly id: MailboxId;
  /** Where they were. */
  readonly mailbox: MailboxId;
  readonly account: AccountId;
  /** Of that mailbox when the last of them was expunged. */
  readonly name: string;
  /** That mailbox still exists. */
  readonly there: boolean;
  readonly messages: number;
  /** Sum of their sizes; they count for no quota. */
  readonly octets: number;
}

/** Where what is expunged from a mailbox is kept. No mailbox can be made with such an id. */
export const expungedMailboxOf = (mailbox: MailboxId): MailboxId => `~${mailbox}` as MailboxId;
export const isExpungedMailbox = (mailbox: MailboxId): boolean => mailbox.startsWith('~');

/** What one commit changed in one place; the details are in the difference of two snapshots. */
export interface Change {
  readonly cursor: Cursor;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: 'messages' | 'mailbox' | 'account' | 'record';
  readonly account?: AccountId;
  readonly mailbox?: MailboxId;
  readonly modSeq?: ModSeq;
  readonly space?: string;
  readonly key?: string;
}

/** What columns cannot answer; the caller tests flags, sizes, dates and uids by itself. Substrings by i;unicode-casemap (RFC 5051). */
export type Query =
  | { readonly all: readonly Query[] }
  | { readonly any: readonly Query[] }
  | { readonly not: Query }
  | { readonly text: string; readonly in: 'body' | 'text' }
  /** Field name in any letter case; an empty `contains`: the field is there. */
  | { readonly header: string; readonly contains: string }
  /** Days of the Date field without time and zone (RFC 9051 section 6.4.4), ms of that day's 00:00 UTC. */
  | { readonly sentBefore?: number; readonly sentSince?: number }
  | { readonly emailId: EmailId }
  | { readonly threadId: ThreadId };

/** What holds octets. */
export type Source =
  | { readonly snapshot: MailboxSnapshot; readonly uid: Uid }
  | { readonly space: string; readonly key: string }
  /** What is staged, before a commit names it: for whoever staged it, and nobody else. */
  | { readonly stage: StageId };

/** What a store can do beyond the duty; a protocol announces accordingly. */
export type Ability = 'search' | 'threads' | 'undelete' | 'encryption';

export interface StageOptions {
  /** Octets, as announced (RFC 1870 SIZE, the literal of APPEND). If there is no room for them, that is said at once. */
  readonly sizeHint?: number;
  /** More octets than this are refused. */
  readonly limit?: number;
  /**
   * Who is to blame for what is staged and not yet committed or discarded: an account, or the address of a client that has
   * none. However much some owners stage, there is room for another one.
   */
  readonly owner?: string;
}

export interface Stage {
  readonly stage: StageId;
  /** Octets. */
  readonly size: number;
}

export interface MailStore {
  readonly abilities: ReadonlySet<Ability>;

  /**
   * Takes octets that no one sees yet, as they come, under backpressure. They need not be durable before the commit that
   * names them. An error of `octets` discards the stage and is thrown on.
   * @throws MailError TOOBIG beyond `limit` octets, LIMIT if too much is staged, FULL if the disk is, UNAVAILABLE
   */
  stage(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: StageOptions,
  ): Promise<Stage>;
  /**
   * Frees a stage that no commit has used up. Harmless if it is gone, or if a commit whose outcome is UNKNOWN was made after
   * all. Whoever staged it does this after an error, or its octets stay staged.
   */
  discard(stage: StageId): Promise<void>;

  /**
   * Applies `writes` in order as one: all or none, for any number of accounts. Resolves once they are durable; only then
   * anybody sees them. Stages named by it are used up when it succeeds; after any error they are still there, to be committed
   * again (without the culprit, say) or discarded.
   * `id` makes a repeat harmless: for an hour the same id gives the first result again, also after a restart. What belonged to
   * an account is forgotten with it.
   * @throws MailError NONEXISTENT, ALREADYEXISTS, OVERQUOTA, TOOBIG, CONFLICT, LIMIT, CANNOT with `write` = index of the culprit;
   *   FULL if the disk has no room for more mail; UNAVAILABLE: nothing was written; UNKNOWN: ask again with the same id
   */
  commit(writes: readonly Write[], options?: { id?: string }): Promise<Commit>;

  /** All that the account owns, or with `shared` also what others let it see (right `l`), sorted by name in code points. Serves LIST, STATUS and JMAP Mailbox/get. @throws MailError NONEXISTENT */
  mailboxes(account: AccountId, options?: { shared?: boolean }): Promise<readonly MailboxInfo[]>;
  /** Names subscribed without a mailbox of that name. */
  subscribedNames(account: AccountId): Promise<readonly string[]>;
  /** @throws MailError NONEXISTENT */
  usage(
    account: AccountId,
  ): Promise<{ readonly used: Omit<Limits, 'messageOctets'>; readonly limits: Partial<Limits> }>;
  metadata(mailbox: MailboxId): Promise<readonly (readonly [entry: string, value: Uint8Array])[]>;

  /** What can be brought back, sorted by name. With the ability 'undelete'. @throws MailError NONEXISTENT */
  expunged?(account: AccountId): Promise<readonly ExpungedInfo[]>;

  /** The mailbox as of now. Blocks equal to those of `previous` are the same objects. @throws MailError NONEXISTENT */
  open(mailbox: MailboxId, previous?: MailboxSnapshot): Promise<MailboxSnapshot>;
  /** What vanished after `since`; may name uids that vanished before (RFC 7162 section 3.2.10). */
  vanished(snapshot: MailboxSnapshot, since: ModSeq): Promise<UidRanges>;
  /**
   * Rows in ascending order of uid, in batches of at most 512; uids that are not in the snapshot are passed over. A message
   * expunged meanwhile is still there for at least 10 minutes after, unless its account is destroyed.
   * @throws MailError EXPUNGED, CORRUPTION
   */
  fetch(
    snapshot: MailboxSnapshot,
    uids: UidRanges,
    parts: readonly Part[],
  ): AsyncIterable<readonly Row[]>;
  /**
   * Octets `start` (included) to `end` (excluded); beyond the end there are none. Ending the iteration early frees everything.
   * @throws MailError NONEXISTENT (also of a stage that is used up or discarded), EXPUNGED, CORRUPTION
   */
  read(source: Source, start?: number, end?: number): AsyncIterable<Uint8Array>;

  /** Exact: neither misses a message nor names a wrong one. With the ability 'search'; otherwise `searchByReading` of package mime does it with fetch and read. */
  search?(snapshot: MailboxSnapshot, query: Query, among?: UidRanges): Promise<UidRanges>;
  /** Where the copies of e-mails are, within one account. */
  locate(
    account: AccountId,
    emails: readonly EmailId[],
  ): Promise<
    readonly { readonly emailId: EmailId; readonly at: readonly (readonly [MailboxId, Uid])[] }[]
  >;

  record(space: string, key: string): Promise<StoredRecord | undefined>;
  /** Ascending by key (octets of UTF-8), `from` included, `to` excluded. Read committed: a page may miss what is written while it is read. */
  records(
    space: string,
    range?: { from?: string; to?: string; limit?: number; reverse?: boolean },
  ): AsyncIterable<StoredRecord>;

  /** Every change after `since`, gapless and in commit order; goes on until `signal` aborts. @throws MailError FORGOTTEN */
  changes(
    since: Cursor | 'start' | 'now',
    scope?: { account?: AccountId; space?: string },
    signal?: AbortSignal,
  ): AsyncIterable<Change>;
  /** A hint that something changed, after it became visible and before `commit` resolves; for IDLE and NOTIFY, which look for themselves. An empty scope: everything. Returns the cancelling function. */
  subscribe(
    scope: { accounts?: readonly AccountId[]; mailboxes?: readonly MailboxId[] },
    listener: (change: Change) => void,
  ): () => void;

  /** Waits for commits under way, then frees everything. */
  close(): Promise<void>;
}

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: number;
  /** Octets of its content, if it has one. */
  readonly size?: number;
}
