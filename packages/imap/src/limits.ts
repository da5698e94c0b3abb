/** What a client may ask of the server. Octets and milliseconds. */
export interface ImapLimits {
  /** Of one line, literals not counted. Default 64 KB (RFC 7162 section 4 asks for at least 8192). */
  readonly lineOctets: number;
  /** Of one line before login. Default 8 KB. */
  readonly lineBeforeLogin: number;
  /** Of one literal before login. Default 8 KB. */
  readonly literalBeforeLogin: number;
  /** Of one command with all its lines and literals, the messages of APPEND not counted. Default 1 MB; before login two lines. */
  readonly commandOctets: number;
  /** Literals in one command, the messages of APPEND not counted. Default 256. */
  readonly literals: number;
  /** Of one appended message. Default 100 MB. The store's own limit applies too. */
  readonly appendOctets: number;
  /** Octets of refused literals that are read and thrown away before the link is cut instead. Default 256 MB. */
  readonly discardOctets: number;
  /** Of parentheses and search keys. Default 64. */
  readonly depth: number;
  /** Search keys in one command. Default 1,000. */
  readonly searchKeys: number;
  /** Commands that cannot be understood before login; then the link is cut. Default 10. */
  readonly badBeforeLogin: number;
  /** Failed logins on one connection; then the link is cut. Default 5. */
  readonly failedLogins: number;
  /** At one time. Default 10,000. */
  readonly connections: number;
  /** At one time from one IP address (IPv6: one /64). Default 100. */
  readonly connectionsPerAddress: number;
  /** From the connection to the end of the login, handshake included. Default 1 minute. */
  readonly loginTimeout: number;
  /** Between commands, and in IDLE. Default 30 minutes, which RFC 9051 section 5.4 sets as the least. */
  readonly idleTimeout: number;
  /** Without an octet in the middle of a command, or without taking an octet of an answer. Default 5 minutes. */
  readonly stallTimeout: number;
  /** Between the untagged OK that keep an idle connection alive. Default 4 minutes. */
  readonly keepAlive: number;
}

export const defaultLimits: ImapLimits = {
  lineOctets: 64 * 1024,
  lineBeforeLogin: 8 * 1024,
  literalBeforeLogin: 8 * 1024,
  commandOctets: 1024 * 1024,
  literals: 256,
  appendOctets: 100 * 1024 * 1024,
  discardOctets: 256 * 1024 * 1024,
  depth: 64,
  searchKeys: 1000,
  badBeforeLogin: 10,
  failedLogins: 5,
  connections: 10_000,
  connectionsPerAddress: 100,
  loginTimeout: 60_000,
  idleTimeout: 30 * 60_000,
  stallTimeout: 5 * 60_000,
  keepAlive: 4 * 60_000,
};
