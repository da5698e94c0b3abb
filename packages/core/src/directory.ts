/** The contract for who is who: which accounts an address leads to, and who may log in. */
import type { Address } from './address.ts';
import type { AccountId } from './numbers.ts';
import type { ScramCredentials } from './sasl/scram-credentials.ts';

export type Protocol = 'imap' | 'pop3' | 'submission' | 'jmap' | 'sieve' | 'web';

export interface Account {
  readonly id: AccountId;
  /** The full address, which is the user name too. */
  readonly address: string;
  /** Which protocols are switched on for it. */
  readonly protocols: ReadonlySet<Protocol>;
}

/** Where one recipient's mail goes. */
export type Route =
  /** `mailbox` by name, INBOX if absent. */
  | {
      readonly to: 'account';
      readonly account: AccountId;
      readonly mailbox?: string;
      readonly flags?: readonly string[];
    }
  | { readonly to: 'address'; readonly address: Address };

export type Resolution =
  | { readonly kind: 'routes'; readonly routes: readonly Route[] }
  /** The domain is ours, but nobody has that address. */
  | { readonly kind: 'unknown' }
  /** The domain is not ours. */
  | { readonly kind: 'foreign' };

/** From where a login comes, for throttling by network, switches by protocol, and the log. */
export interface LoginContext {
  readonly protocol: Protocol;
  /** IP address; absent in-process. */
  readonly remoteAddress?: string;
  readonly secure: boolean;
  readonly connection?: string;
}

/** A SCRAM exchange under way: credentials to prove against, and where the outcome is told. */
export interface ScramAttempt {
  /** For an unknown user made up, but always the same for the same name, so that it cannot be told from a known one (RFC 5802 section 9). */
  readonly credentials: ScramCredentials;
  /**
   * Tells whether the proof was right (false also if the client gave up); resolves to the account if so.
   * @throws MailError AUTHENTICATIONFAILED, AUTHORIZATIONFAILED
   */
  settle(proved: boolean): Promise<Account>;
}

export interface Directory {
  /** Where mail for `address` goes; case of the domain never matters. @throws MailError UNAVAILABLE */
  resolve(address: Address): Promise<Resolution>;

  /**
   * Checks a password. Takes as long for an unknown user as for a wrong password. `userName` and `password` as the client
   * sent them (SASLprep is the directory's job, RFC 4616 section 2). `authorizeAs`: the authorization identity, if it is not the same.
   * @throws MailError AUTHENTICATIONFAILED, AUTHORIZATIONFAILED, THROTTLED, UNAVAILABLE
   */
  login(
    userName: string,
    password: string,
    context: LoginContext,
    authorizeAs?: string,
  ): Promise<Account>;

  /**
   * Begins SCRAM-SHA-256 (RFC 7677). Absent: the mechanism is not offered.
   * @throws MailError THROTTLED, UNAVAILABLE
   */
  scram?(userName: string, context: LoginContext, authorizeAs?: string): Promise<ScramAttempt>;

  /** Whether the account may send with this reverse-path or From (RFC 6409 section 6.1). */
  maySendAs(account: Account, address: Address): Promise<boolean>;
}
