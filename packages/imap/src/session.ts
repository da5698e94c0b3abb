/** One client, as commands see it. */
import type {
  Access,
  Account,
  ChannelBindings,
  Clock,
  Directory,
  Log,
  MailStore,
  Random,
  TlsProvider,
} from '@mail-server-kit/core';
import type { Dialect } from './dialect.ts';
import type { ImapLimits } from './limits.ts';
import type { Recent } from './recent.ts';
import type { View, Wording } from './view.ts';

/** What all sessions of one server share. */
export interface Wiring {
  readonly store: MailStore;
  readonly access: Access;
  readonly directory: Directory;
  readonly tls: TlsProvider | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: ImapLimits;
  readonly dialect: Dialect;
  readonly recent: Recent;
  /** What ID answers (RFC 2971). */
  readonly serverId: Readonly<Record<string, string>>;
  /** Passwords may be sent without TLS. */
  readonly plaintextLogin: (about: Peer) => boolean;
}

/** Who is at the other end. */
export interface Peer {
  /** Identifies the connection in the log. */
  readonly connection: string;
  readonly remoteAddress: string | undefined;
  /** The connection is encrypted, or never leaves the process. */
  readonly secure: boolean;
  readonly bindings: ChannelBindings | undefined;
}

/** The states of RFC 9051 section 3, and what is known in each. */
interface Known {
  any: {
    readonly account: Account | undefined;
    readonly store: MailStore | undefined;
    readonly view: View | undefined;
  };
  'not authenticated': {
    readonly account: undefined;
    readonly store: undefined;
    readonly view: undefined;
  };
  authenticated: {
    readonly account: Account;
    /** As the account may use it: the permission check is inside (core/access.ts). */
    readonly store: MailStore;
    readonly view: View | undefined;
  };
  selected: { readonly account: Account; readonly store: MailStore; readonly view: View };
}

export type State = keyof Known;

/** One client. By asking for `Session<'selected'>` a command says that it needs a mailbox. */
export type Session<S extends State = 'any'> = Known[S] & {
  readonly wiring: Wiring;
  readonly peer: Peer;
  /** Extensions switched on with ENABLE (RFC 9051 section 6.3.1), in capitals. */
  readonly enabled: Set<string>;
  /** Names and texts are UTF-8: IMAP4rev2 or UTF8=ACCEPT is enabled. */
  readonly utf8: boolean;
  readonly wording: Wording;
};

/** Whether `session` is in a state in which a command of `state` may run (RFC 9051 section 3). */
export function inState(session: Session, state: State): boolean {
  if (state === 'any') return true;
  if (state === 'not authenticated') return session.account === undefined;
  if (state === 'authenticated') return session.account !== undefined;
  return session.view !== undefined;
}
