/** The client side of a SASL exchange, for outgoing connections and tests. */
import type { Random } from '../world.ts';
import type { ChannelBindings, MechanismName } from './exchange.ts';

export interface SaslClientOptions {
  readonly userName: string;
  readonly password: string;
  /** The authorization identity, if it is not the same. */
  readonly authorizeAs?: string;
  /** Of the connection, if it is encrypted. With them, SCRAM-SHA-256 tells the server that -PLUS would have been possible. */
  readonly bindings?: ChannelBindings;
  /** Nonces. */
  readonly random: Random;
}

export interface SaslClient {
  readonly mechanism: MechanismName;
  /**
   * The response to a challenge; to undefined, the initial response, which is undefined if the mechanism has none.
   * @throws MailError AUTHENTICATIONFAILED if the server does not know the password, or says what makes no sense
   */
  step(challenge: Uint8Array | undefined): Promise<Uint8Array | undefined>;
  /**
   * To be called once the server says that the login succeeded, with the additional data, if any.
   * @throws MailError AUTHENTICATIONFAILED if the server did not prove that it knows the password (SCRAM)
   */
  finish(data?: Uint8Array): void;
}
