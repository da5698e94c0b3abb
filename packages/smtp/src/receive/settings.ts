/** What all connections of one service share: its options with their defaults filled in, and what it remembers. */
import type {
  Clock,
  Directory,
  Filter,
  Log,
  MailStore,
  Random,
  Relay,
  Resolver,
  TlsProvider,
} from '@mail-server-kit/core';
import type { FilterRunner } from './filters.ts';
import type { MailboxNames } from './mailboxes.ts';
import type { Separated } from './separated.ts';
import type { Uploads } from './uploads.ts';

export type Kind = 'mx' | 'submission' | 'lmtp';

/** All times in milliseconds. */
export interface SmtpLimits {
  /** Open connections of the service. Default 1,000. */
  readonly connections: number;
  /** Open connections from one address. Default 50, for LMTP no fewer than `connections`. */
  readonly connectionsPerAddress: number;
  /** Commands of one connection that were answered 5xx; then it is closed with 421. Default 20. */
  readonly badCommands: number;
  /** Failed logins of one connection. Default 3. */
  readonly badLogins: number;
  /** Until the next command is complete, or the next octets of a message come. RFC 5321 section 4.5.3.2.7 wants 5 minutes. */
  readonly idleTime: number;
  /** For a whole message: a client that sends an octet a minute is no client. Default 30 minutes. */
  readonly messageTime: number;
  /**
   * Octets of all messages that one address is sending at the same time. Default: twice the largest message; for 'lmtp'
   * no limit.
   */
  readonly uploadOctets: number;
  /** Received fields that a message may have; with one more it is in a loop (RFC 5321 section 6.3). Default 30. */
  readonly hops: number;
}

export interface Settings {
  readonly kind: Kind;
  readonly hostname: string;
  readonly store: MailStore;
  readonly directory: Directory;
  readonly relay: Relay | undefined;
  readonly tls: TlsProvider | undefined;
  readonly resolver: Resolver | undefined;
  readonly filters: readonly Filter[];
  readonly bareLineEnds: 'refuse' | 'normalize';
  readonly channelBinding: boolean;
  readonly maxMessageOctets: number;
  readonly maxRecipients: number;
  readonly limits: SmtpLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly run: FilterRunner;
  readonly mailboxes: MailboxNames;
  readonly separated: Separated;
  readonly uploads: Uploads;
}
