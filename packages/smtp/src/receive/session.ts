/** One client as the commands see it: what it said so far. No socket, and nothing of smtp-server. */
import type {
  Account,
  AccountId,
  ChannelBindings,
  Client,
  Envelope,
  Recipient,
} from '@mail-server-kit/core';
import type { Body } from './body.ts';
import type { Tags } from './filters.ts';
import type { Outcome } from './message.ts';
import type { Reply } from './reply.ts';
import type { Settings } from './settings.ts';

/** Where the mail of one recipient goes. */
export type Destination =
  | {
      readonly to: 'account';
      readonly account: AccountId;
      readonly mailbox: string | undefined;
      readonly flags: readonly string[];
    }
  | { readonly to: 'relay'; readonly recipient: Recipient };

/** A recipient that was answered 250. */
export interface Accepted {
  readonly recipient: Recipient;
  readonly destinations: readonly Destination[];
  readonly tags: readonly Tags[];
  /** A filter wants its copy thrown away. */
  readonly discard: boolean;
}

/** A message that comes by BDAT (RFC 3030 section 2). */
export interface Chunks {
  readonly body: Body;
  readonly outcome: Promise<Outcome>;
  /** The last chunk came, or one was refused: what still comes is 503 until RSET. */
  over: boolean;
}

/** From MAIL to the end of the message (RFC 5321 section 3.3). */
export interface Transaction {
  readonly envelope: Envelope;
  readonly recipients: Accepted[];
  readonly tags: readonly Tags[];
  readonly discard: boolean;
  /** RCPT commands, the refused ones included. */
  asked: number;
  chunks?: Chunks;
}

/** What a command may ask of the connection. */
export interface Wire {
  send(reply: Reply): void;
  /** The next line, for AUTH. Rejects if the client leaves or the line is too long. */
  readLine(): Promise<string>;
  /** From here on a message in the form of DATA follows. */
  readData(): Body;
  /** `size` octets of a message follow. Resolves when they are taken; without `body` they are thrown away. */
  readChunk(size: number, body: Body | undefined): Promise<void>;
  /** After the 220 of STARTTLS. */
  startTls(): void;
  /** For SCRAM-SHA-256-PLUS, on an encrypted connection. */
  bindings(): ChannelBindings | undefined;
}

export interface Session {
  readonly settings: Settings;
  readonly wire: Wire;
  /** Identifies the connection within this process. */
  readonly connection: string;
  /** IP address; empty in-process. */
  readonly remoteAddress: string;
  secure: boolean;
  /** What was agreed on, if TLS ends here and not at a proxy. */
  tls: { readonly protocol: string; readonly cipher: string } | undefined;
  helo: { readonly name: string; readonly extended: boolean } | undefined;
  account: Account | undefined;
  transaction: Transaction | undefined;
  badLogins: number;
  /** What filters said at `connect` and `helo`. */
  connectTags: { readonly tags: readonly Tags[]; readonly discard: boolean };
  heloTags: { readonly tags: readonly Tags[]; readonly discard: boolean };
}

export function newSession(
  settings: Settings,
  wire: Wire,
  about: { connection: string; remoteAddress: string },
): Session {
  return {
    settings,
    wire,
    ...about,
    secure: false,
    tls: undefined,
    helo: undefined,
    account: undefined,
    transaction: undefined,
    badLogins: 0,
    connectTags: { tags: [], discard: false },
    heloTags: { tags: [], discard: false },
  };
}

/** Ends the transaction, if there is one: RSET, EHLO, STARTTLS, a lost connection. */
export function resetTransaction(session: Session): void {
  const chunks = session.transaction?.chunks;
  session.transaction = undefined;
  // What is staged so far is thrown away by it.
  chunks?.body.abort(new Error('the transaction was reset'));
}

/** RFC 3207 section 4.2: after the handshake the server knows nothing that it learned before it. */
export function forgetAtTls(session: Session): void {
  resetTransaction(session);
  session.helo = undefined;
  session.account = undefined;
  session.heloTags = { tags: [], discard: false };
}

/** As filters see it. */
export function clientOf(session: Session): Client {
  const { connection, remoteAddress, helo, account, secure } = session;
  return {
    connection,
    remoteAddress,
    network: networkOf(remoteAddress),
    service: session.settings.kind,
    secure,
    ...(helo && { helo: helo.name }),
    ...(account && { account }),
  };
}

/** The /24 or /64 around an address, as its first octets or groups. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address.split('.').slice(0, 3).join('.');
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  return [...front, ...Array<string>(zeros).fill('0'), ...back].slice(0, 4).join(':');
}
