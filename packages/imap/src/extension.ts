/**
 * What an extension is: a plain object that adds rows to tables. Whoever uses the package may write one and hand it to
 * `createImapServer({ extensions: [...allExtensions, mine] })`. The commands of the base protocol use the same tables.
 */
import type {
  Ability,
  MailboxInfo,
  ModSeq,
  Part,
  Query,
  Row,
  UidRanges,
  Write,
} from '@mail-server-kit/core';
import type { PartTree } from '@mail-server-kit/mime';
import type { Column } from './columns.ts';
import type { Call, Command, Parsing } from './command.ts';
import type { ListEntry } from './list-entry.ts';
import type { Respond } from './respond.ts';
import type { Rows } from './rows.ts';
import type { Session } from './session.ts';
import type { View } from './view.ts';
import type { Reader, SequenceSet } from './wire/reader.ts';

export interface Extension {
  /** Capability names, shown after login. */
  readonly capabilities?: readonly string[];
  /** Those are shown before login too, because a client needs them there. */
  readonly early?: boolean;
  /** Abilities of the store without which the extension is left out. */
  readonly needs?: readonly Ability[];
  readonly commands?: readonly Command[];
  readonly fetchItems?: readonly FetchItem[];
  readonly fetchModifiers?: readonly FetchModifier[];
  readonly storeModifiers?: readonly StoreModifier[];
  readonly searchKeys?: readonly SearchKey[];
  readonly searchReturns?: readonly SearchReturn[];
  readonly statusItems?: readonly StatusItem[];
  readonly selectParameters?: readonly SelectParameter[];
  readonly selectResponses?: readonly SelectResponse[];
  readonly createParameters?: readonly CreateParameter[];
  readonly listSelections?: readonly ListSelection[];
  readonly listReturns?: readonly ListReturn[];
  readonly appendData?: readonly AppendData[];
  readonly enables?: readonly Enable[];
}

/** The message that a FETCH item is written for. One object for all messages of a command. */
export interface FetchMessage {
  readonly session: Session<'selected'>;
  readonly view: View;
  readonly respond: Respond;
  /** Stands on the message. */
  readonly rows: Rows;
  /** What was asked for with `parts`. */
  readonly facts: Row['facts'];
  /** Decoded from the facts once; needs the part 'structure'. */
  readonly structure: PartTree;
  /** Octets `start` to `end` of the message, in one piece: for headers. */
  octets(start: number, end: number): Promise<Buffer>;
  /** The same as they come, without gathering. */
  stream(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** One thing to be shown of each message: name and value, without spaces around. */
export interface FetchPart {
  /** Facts that the store must bring. None: the columns are enough. */
  readonly parts?: readonly Part[];
  /** Showing it sets \Seen (RFC 9051 section 6.4.5, BODY[<section>]). */
  readonly setsSeen?: boolean;
  /** It shows this column and nothing else. */
  readonly column?: Column;
  /** Synchronous unless octets of the message are needed. */
  write(message: FetchMessage): Promise<void> | void;
}

/** `ENVELOPE`, `BODY.PEEK[...]`: the cursor stands behind the name. */
export interface FetchItem {
  readonly name: string;
  parse(read: Reader): FetchPart;
  /** Asking for it switches something on (RFC 7162 section 3.1). */
  readonly enables?: string;
}

/** FETCH modifiers of RFC 4466 section 2.4. */
export interface FetchModifier {
  readonly name: string;
  parse(read: Reader): {
    /** Rows that are shown. */
    readonly only?: (rows: Rows) => boolean;
    /** Shown besides what was asked for. */
    readonly also?: readonly FetchPart[];
    readonly enables?: string;
  };
}

/** STORE modifiers of RFC 4466 section 2.5. */
export interface StoreModifier {
  readonly name: string;
  parse(read: Reader): { readonly unchangedSince?: ModSeq; readonly enables?: string };
}

/** What SEARCH looks for. */
export type SearchNode =
  /** Answered from the columns. `on` is asked once for each command. */
  | { readonly kind: 'columns'; on(view: View): (rows: Rows) => boolean }
  | { readonly kind: 'set'; readonly set: SequenceSet; readonly uid: boolean }
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'all' | 'any'; readonly nodes: readonly SearchNode[] }
  | { readonly kind: 'not'; readonly node: SearchNode };

export interface SearchParsing {
  /** Reads one search key. */
  key(read: Reader): SearchNode;
  /** Reads an astring in the charset of the command. */
  text(read: Reader): string;
  /** Adds a number to the response: `(MODSEQ 917)` of RFC 7162 section 3.1.5. */
  tell(extra: SearchExtra): void;
}

export interface SearchExtra {
  readonly name: string;
  readonly enables?: string;
  value(found: UidRanges, view: View): number;
}

export interface SearchKey {
  readonly name: string;
  parse(read: Reader, parsing: SearchParsing): SearchNode;
}

/** `RETURN` options of SEARCH (RFC 9051 section 6.4.4, RFC 4466 section 2.6). */
export interface SearchReturn {
  readonly name: string;
  /** Value for the ESEARCH response, `numbers` being uids or sequence numbers; undefined: nothing is shown. */
  value?(numbers: UidRanges, respond: Respond): (() => void) | undefined;
  /** What SAVE saves if no option is given that has none of these (RFC 9051 section 6.4.4.1). */
  saves?(found: UidRanges): UidRanges;
}

export interface StatusItem {
  readonly name: string;
  value(info: MailboxInfo, session: Session<'authenticated'>): number | string | Promise<number>;
  readonly enables?: string;
}

/** Parameters of SELECT and EXAMINE (RFC 4466 section 2.1). */
export interface SelectParameter {
  readonly name: string;
  /** Reads its value, if it has one, and returns what is to happen after the mailbox is open. */
  parse(
    read: Reader,
  ): (
    view: View,
    call: Pick<Call<'authenticated', unknown>, 'session' | 'respond'>,
  ) => Promise<void> | void;
  readonly enables?: string;
}

/** Something that SELECT and EXAMINE tell of every mailbox. */
export type SelectResponse = (
  view: View,
  respond: Respond,
  session: Session<'authenticated'>,
) => void;

/** Parameters of CREATE (RFC 4466 section 2.2). */
export interface CreateParameter {
  readonly name: string;
  parse(read: Reader): Partial<Extract<Write, { op: 'createMailbox' }>>;
}

/** Selection options of LIST (RFC 5258 section 3.1). */
export interface ListSelection {
  readonly name: string;
  /** `base`: may stand alone; `modifier`: needs one that is base; `independent`: changes nothing about the others. */
  readonly kind: 'base' | 'modifier' | 'independent';
  /** Which mailboxes are meant. Undefined: all. */
  matches?(entry: ListEntry): boolean;
  /** What is shown because of it, without being asked for. */
  readonly shows?: ListShow;
}

/** Return options of LIST (RFC 5258 section 3.2). */
export interface ListReturn {
  readonly name: string;
  /** Reads the value of the option and returns what it does for each mailbox that is listed. */
  parse(read: Reader, parsing: Parsing): ListShow;
}

export interface ListShow {
  /** Added to the attributes. */
  attributes?(entry: ListEntry): readonly string[];
  /** Said right after the LIST response (RFC 5819 section 2). */
  after?(
    entry: ListEntry,
    call: Pick<Call<'authenticated', unknown>, 'session' | 'respond'>,
  ): Promise<void>;
  readonly enables?: string;
}

/** Other forms of the message in APPEND than a literal (RFC 4466 section 2.7): `UTF8 (~{...}`. */
export interface AppendData {
  readonly name: string;
  /** What stands between the name and the literal. */
  readonly open: string;
  /** What stands behind the literal. */
  readonly close: string;
  /** Refuses where it may not be used. */
  check?(session: Session<'authenticated'>): void;
}

/** A name that ENABLE knows. */
export interface Enable {
  readonly name: string;
  /** Happens once, when it is switched on; may say what the client has to know from now on. */
  enable(session: Session<'authenticated'>, respond: Respond): void;
  /** Switched on along with it. */
  readonly implies?: readonly string[];
}
