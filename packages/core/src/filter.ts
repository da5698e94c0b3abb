/**
 * A filter looks at mail on its way in and says what to do. Optional methods by stage; the first verdict other than
 * `proceed` or `tag` ends the stage.
 */
import type { Account } from './directory.ts';
import type { Envelope, Recipient } from './envelope.ts';
import type { Address } from './address.ts';
import type { Clock, Resolver } from './world.ts';

export type Verdict =
  | { readonly kind: 'proceed' }
  /** Ends the stage: later filters are not asked. */
  | { readonly kind: 'accept' }
  | {
      readonly kind: 'reject' | 'defer';
      readonly code: number;
      readonly enhanced: string;
      readonly text: string;
    }
  /** Answered 250 and thrown away. */
  | { readonly kind: 'discard' }
  /** Marks the message and goes on: header lines to prepend (complete, with CRLF), a score, flags, a mailbox other than INBOX. */
  | {
      readonly kind: 'tag';
      readonly headers?: readonly string[];
      readonly score?: number;
      readonly flags?: readonly string[];
      readonly mailbox?: string;
    };

export const proceed: Verdict = { kind: 'proceed' };
export const accept: Verdict = { kind: 'accept' };
export const discard: Verdict = { kind: 'discard' };

/** For good: 5xx (RFC 5321 section 4.2.1). */
export function reject(code: number, enhanced: string, text: string): Verdict {
  return { kind: 'reject', code, enhanced, text };
}

/** For now: 4xx. */
export function defer(code: number, enhanced: string, text: string): Verdict {
  return { kind: 'defer', code, enhanced, text };
}

export interface Client {
  readonly connection: string;
  readonly remoteAddress: string;
  /** The /24 or /64 that it is in. */
  readonly network: string;
  readonly service: 'mx' | 'submission' | 'lmtp';
  readonly helo?: string;
  readonly secure: boolean;
  readonly account?: Account;
}

/** Records of one filter, in a space of their own, as JSON values. */
export interface FilterRecords {
  get<Value>(key: string): Promise<Value | undefined>;
  put(key: string, value: unknown, options?: { expires?: number }): Promise<void>;
}

export interface FilterWorld {
  readonly clock: Clock;
  readonly records: FilterRecords;
  /** Absent where no DNS is wired in. */
  readonly resolver?: Resolver;
}

export interface MessageToFilter {
  readonly client: Client;
  readonly envelope: Envelope;
  /** Octets. */
  readonly size: number;
  /** As received, without trace headers; may be read more than once. */
  read(start?: number, end?: number): AsyncIterable<Uint8Array>;
}

type Answered = Verdict | Promise<Verdict>;

export interface Filter {
  readonly name: string;
  connect?(at: { client: Client }, world: FilterWorld): Answered;
  helo?(at: { client: Client }, world: FilterWorld): Answered;
  mail?(at: { client: Client; reversePath: Address | undefined }, world: FilterWorld): Answered;
  rcpt?(
    at: { client: Client; reversePath: Address | undefined; forwardPath: Address },
    world: FilterWorld,
  ): Answered;
  message?(message: MessageToFilter, world: FilterWorld): Answered;
  /** Once for each recipient, after `message`. */
  deliver?(message: MessageToFilter & { recipient: Recipient }, world: FilterWorld): Answered;
}
