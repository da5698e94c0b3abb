/**
 * The server side of a SASL exchange (RFC 4422 section 3), the same for IMAP, SMTP and POP3: octets in, challenge or
 * account out. The protocol does base64, `*` (cancel), `=` (empty initial response) and line limits.
 */
import type { Account, Directory, LoginContext } from '../directory.ts';

/** RFC 5929 and RFC 9266: what binds an exchange to the TLS connection under it. */
export interface ChannelBindings {
  'tls-exporter'?: Uint8Array;
  'tls-server-end-point'?: Uint8Array;
}

export type MechanismName = 'PLAIN' | 'LOGIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS';

export type SaslStep =
  | { readonly kind: 'challenge'; readonly challenge: Uint8Array }
  /** `data`: additional data with success (RFC 4422 section 3.6); a protocol that cannot carry it sends it as a challenge and expects an empty response. */
  | { readonly kind: 'done'; readonly account: Account; readonly data?: Uint8Array };

export interface SaslExchange {
  readonly mechanism: MechanismName;
  /**
   * Feeds the client's response; undefined at the start without an initial response. One call at a time.
   * @throws MailError AUTHENTICATIONFAILED, AUTHORIZATIONFAILED, THROTTLED, UNAVAILABLE; after that the exchange is over
   */
  step(response: Uint8Array | undefined): Promise<SaslStep>;
  /** The client gave up or left; frees what is held. */
  cancel(): void;
}

export interface SaslOptions {
  readonly directory: Directory;
  readonly context: LoginContext;
  /** Of the connection, if it is encrypted; SCRAM-SHA-256-PLUS needs it. */
  readonly bindings?: ChannelBindings;
  /** Nonces. */
  readonly random: import('../world.ts').Random;
}
