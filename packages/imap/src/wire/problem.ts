/** What the wire cannot make sense of. The connection answers BAD with `message` (RFC 9051 section 7.1.3). */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    message: string,
    /** A response code without brackets. */
    readonly code?: string,
    /** Everything up to the end was right: more octets might have made it whole. */
    readonly unfinished = false,
  ) {
    super(message);
  }
}

/** The bytes cannot be followed any further: the connection says BYE with `message` and ends. */
export class Fatal extends Error {
  override readonly name = 'Fatal';

  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}
