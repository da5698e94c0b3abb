/**
 * Address lists of header fields, as ENVELOPE shows them (RFC 9051 section 7.5.2; syntax of RFC 5322 section 3.4 and
 * 4.4). Broken addresses become what Dovecot makes of them, so that clients see what they are used to.
 */
import { Tokens } from './tokens.ts';

/**
 * One row of ENVELOPE. A group is a row with `mailbox` = its name and `host` undefined, its members, and a row with
 * both undefined. Texts have one character per octet; encoded-words stay as they are.
 */
export interface EnvelopeAddress {
  readonly name: string | undefined;
  /** Obsolete source route: `@one,@two`. */
  readonly route: string | undefined;
  readonly mailbox: string | undefined;
  readonly host: string | undefined;
}

const MISSING_MAILBOX = 'MISSING_MAILBOX';
const MISSING_DOMAIN = 'MISSING_DOMAIN';
const SYNTAX_ERROR = 'SYNTAX_ERROR';
const INVALID_ROUTE = 'INVALID_ROUTE';

/** At most `limit` rows; the rest is passed over. What follows a syntax error is not guessed at. */
export function parseAddresses(value: string, limit = 1000): readonly EnvelopeAddress[] {
  const tokens = new Tokens(value);
  const rows: EnvelopeAddress[] = [];
  tokens.skip();
  while (!tokens.done && rows.length < limit) {
    // `a@b, , c@d`: an empty element is none (RFC 5322 section 4.4, obs-addr-list).
    if (tokens.take(',')) continue;
    const ok = parseGroup(tokens, rows, limit) ?? parseMailbox(tokens, rows);
    if (!ok || tokens.done) break;
    if (!tokens.take(',')) break;
  }
  return rows;
}

/** Undefined: it is not a group, and the position is where it was. */
function parseGroup(tokens: Tokens, rows: EnvelopeAddress[], limit: number): boolean | undefined {
  const start = tokens.position;
  const name = tokens.phrase();
  if (name === undefined || !tokens.isAt(':')) {
    tokens.position = start;
    return undefined;
  }
  rows.push({ name: undefined, route: undefined, mailbox: name, host: undefined });
  tokens.take(':');
  while (!tokens.done && !tokens.isAt(';') && rows.length < limit) {
    if (tokens.take(',')) continue;
    parseMailbox(tokens, rows);
    if (!tokens.isAt(',')) break;
  }
  // The end of the group is shown even if it is cut off, so that markers always come in pairs.
  rows.push({ name: undefined, route: undefined, mailbox: undefined, host: undefined });
  return tokens.take(';');
}

function parseMailbox(tokens: Tokens, rows: EnvelopeAddress[]): boolean {
  const start = tokens.position;
  const named = parseNameAddr(tokens);
  if (named) {
    rows.push(named.address);
    return named.ok;
  }
  tokens.position = start;
  const bare = parseAddrSpec(tokens);
  rows.push(bare.address);
  return bare.ok;
}

interface Parsed {
  readonly address: EnvelopeAddress;
  /** False: something could not be read, so the position says nothing. */
  readonly ok: boolean;
}

const filled = (
  name: string | undefined,
  route: string | undefined,
  mailbox: string | undefined,
  host: string | undefined,
): EnvelopeAddress => ({
  name,
  route,
  mailbox: mailbox ?? MISSING_MAILBOX,
  host: host || MISSING_DOMAIN,
});

/** `[display-name] "<" [route ":"] addr-spec ">"` */
function parseNameAddr(tokens: Tokens): Parsed | undefined {
  const phrase = tokens.phrase();
  if (phrase === undefined || !tokens.take('<')) return undefined;
  const name = phrase === '' ? undefined : phrase;
  let route: string | undefined;
  if (tokens.isAt('@')) {
    route = parseRoute(tokens);
    if (!tokens.take(':')) route = INVALID_ROUTE;
  }
  if (tokens.take('>')) return { address: filled(name, route, undefined, undefined), ok: true };
  const mailbox = tokens.localPart();
  const host = mailbox !== undefined && tokens.take('@') ? tokens.domain() : undefined;
  if (mailbox === undefined || !tokens.take('>')) {
    return { address: filled(name, route, mailbox, SYNTAX_ERROR), ok: true };
  }
  return { address: filled(name, route, mailbox, host), ok: true };
}

/** `"@" domain *("," "@" domain)` */
function parseRoute(tokens: Tokens): string {
  let route = '';
  while (tokens.take('@')) {
    const domain = tokens.domain();
    if (domain === undefined) return INVALID_ROUTE;
    route += `${route && ','}@${domain}`;
    while (tokens.take(','));
  }
  return route;
}

/** `addr-spec`; the comment behind it is its name, as before display names existed: `joe@host (Joe Doe)`. */
function parseAddrSpec(tokens: Tokens): Parsed {
  tokens.comment = '';
  const isQuoted = tokens.isAt('"');
  const mailbox = tokens.localPart();
  if (mailbox !== undefined && tokens.take('@')) {
    const host = tokens.domain();
    return {
      address: filled(tokens.comment || undefined, undefined, mailbox, host),
      ok: host !== undefined,
    };
  }
  if (mailbox === undefined) {
    return {
      address: filled(tokens.comment || undefined, undefined, undefined, undefined),
      ok: false,
    };
  }
  if (tokens.comment) {
    return { address: filled(tokens.comment, undefined, mailbox, undefined), ok: true };
  }
  // A single word is a mailbox without a domain; several, or a quoted one, are a name without an address.
  const more = tokens.phrase();
  if (!more && !isQuoted)
    return { address: filled(undefined, undefined, mailbox, undefined), ok: true };
  const name = more ? `${mailbox} ${more}` : mailbox;
  return { address: filled(name, undefined, undefined, undefined), ok: true };
}
