/** What a command is. Its needs are data, `parse` is pure, `run` reads like the RFC; the tagged OK follows by itself. */
import type { Account } from '@mail-server-kit/core';
import type { Dialect } from './dialect.ts';
import type { ImapLimits } from './limits.ts';
import type { Respond } from './respond.ts';
import type { Session, State } from './session.ts';
import type { Upload } from './upload.ts';
import type { Report, View } from './view.ts';
import type { Reader } from './wire/reader.ts';

/** What parsing may look at: the tables, never the session. */
export interface Parsing {
  readonly dialect: Dialect;
  readonly limits: ImapLimits;
  /** It is the UID twin of the command. */
  readonly uid: boolean;
}

/** What goes beyond one command and its answer: more lines from the client, and changes of state. */
export interface Talk {
  /** Sends `+ ` and the text: the client may go on. */
  goAhead(text: string): Promise<void>;
  /** The client's next line, without its end. */
  line(): Promise<Buffer>;
  /** Sends what is written so far. */
  flush(): Promise<void>;
  /** The client has logged in. @throws MailError AUTHORIZATIONFAILED if IMAP is switched off for it */
  login(account: Account): void;
  /** A login was refused; too many end the connection. */
  loginFailed(): void;
  /** Selects or, with undefined, deselects. What was selected is closed. */
  select(view: View | undefined): void;
  /** Answers OK with `text` and starts TLS; everything that the client sent before is forgotten. */
  startTls(text: string): Promise<void>;
  /** The connection ends after the tagged response. */
  end(): void;
}

export interface Call<S extends State, Args> {
  readonly tag: string;
  /** It came as UID command: numbers are uids. */
  readonly uid: boolean;
  readonly session: Session<S>;
  readonly args: Args;
  readonly respond: Respond;
  readonly talk: Talk;
  /** The literal at which a command with `streams` begins to run. */
  readonly upload: Upload | undefined;
  /** Tells the client what has changed, EXPUNGE only where the command allows it. Happens after each command by itself. */
  report(options?: Pick<Report, 'spare'>): Promise<void>;
}

/** The text of the tagged OK, with a response code if there is one; undefined: `NAME completed`. */
export type Completion = string | void | typeof ANSWERED | Later;

/**
 * The command has taken in all that it needs and only waits for the store: the next one may begin if it does the same.
 * They are answered in their order.
 */
export interface Later {
  readonly later: Promise<string>;
  /** What it holds in memory until then. */
  readonly octets: number;
}

/** The command has answered itself. */
export const ANSWERED = Symbol('answered');

export interface Definition<S extends State, Args> {
  readonly name: string;
  readonly state: S;
  /** There is a UID twin: the same with uids for numbers. `only`: there is nothing but the twin. */
  readonly uid?: boolean;
  /** Refused if the mailbox was opened with EXAMINE. */
  readonly writes?: boolean;
  /** EXPUNGE may not be sent while it is in progress, unless it is the UID twin (RFC 9051 section 7.5.1). */
  readonly holdsNumbers?: boolean;
  /**
   * Begins to run at its first literal for which this is true, with `parse` done on what stands before it, instead of
   * when all of it has come.
   */
  readonly streams?: boolean;
  /** It may begin while others of this kind wait for the store (`Later`): what it does depends on none of them. */
  readonly overlaps?: boolean;
  parse(read: Reader, parsing: Parsing): Args;
  run(call: Call<S, Args>): Promise<Completion>;
}

/** A command in the table: the type of its arguments is between its `parse` and its `run`. */
export interface Command {
  readonly name: string;
  readonly state: State;
  readonly uid: boolean;
  readonly writes: boolean;
  readonly holdsNumbers: boolean;
  readonly streams: boolean;
  readonly overlaps: boolean;
  /** Reads the arguments and returns what will run. */
  prepare(
    read: Reader,
    parsing: Parsing,
  ): (call: Omit<Call<'any', undefined>, 'args'>) => Promise<Completion>;
}

export function command<S extends State, Args>(definition: Definition<S, Args>): Command {
  const {
    name,
    state,
    uid = false,
    writes = false,
    holdsNumbers = false,
    streams = false,
    overlaps = false,
  } = definition;
  return {
    name,
    state,
    uid,
    writes,
    holdsNumbers,
    streams,
    overlaps,
    prepare(read, parsing) {
      const args = definition.parse(read, parsing);
      // The connection has checked the state before: this is the one place that says so to the compiler.
      return (call) =>
        definition.run({ ...call, args, session: call.session as Session as Session<S> });
    },
  };
}

/** For commands without arguments. */
export function nothing(read: Reader): undefined {
  read.end();
}
