/**
 * Address, reverse-path and forward-path: parse and print (RFC 5321 section 4.1.2, internationalized by RFC 6531
 * section 3.3). Parsing is strict and linear; two spellings of one address give equal values.
 */
import { domainToASCII, domainToUnicode } from 'node:url';
import { isIPv6 } from 'node:net';

/** What RFC 5321 calls a Mailbox; a mailbox of ours holds messages. */
export interface Address {
  /** Without quotes, in NFC, in the letter case it was given. */
  readonly localPart: string;
  /** Lower-case A-labels (`xn--bcher-kva.example`), or `[192.0.2.1]`, or `[IPv6:2001:db8::1]`. Empty: `<Postmaster>`. */
  readonly domain: string;
}

/** RFC 5321 section 4.5.3.1: octets of a local part, of a domain, and of a path less its angle brackets. */
const MAX_LOCAL_PART = 64;
const MAX_DOMAIN = 255;
const MAX_ADDRESS = 254;
/** Quoting and source routes make the text longer than what it says; nothing honest is longer than this. */
const MAX_TEXT = 1024;

// Atoms cannot hold a dot, so neither expression can backtrack.
const dotString =
  /^[\w!#$%&'*+\-/=?^`{|}~\u00a0-\u{10ffff}]+(?:\.[\w!#$%&'*+\-/=?^`{|}~\u00a0-\u{10ffff}]+)*$/u;
/**
 * Not of RFC 5321, but of Japanese mobile providers: dots at the ends or beside each other. Such mail has to come in, as
 * with Postfix; printed it is a quoted string, which is the same address (section 4.1.2).
 */
const looseDotString = /^[\w!#$%&'*+\-/=?^`{|}~.\u00a0-\u{10ffff}]+$/u;
const quotedString = /^"((?:[ !#-[\]-~\u00a0-\u{10ffff}]|\\[ -~])*)"@/u;
const label = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
const unicodeLabel = /^[A-Za-z0-9\u00a0-\u{10ffff}-]+$/u;
/** Lone surrogates cannot be sent; U+FFFD is what a decoder leaves where octets were no UTF-8. */
const damaged = /[\p{Cs}\ufffd]/u;
const notAscii = /[^\0-\x7f]/;

function octets(text: string): number {
  return Buffer.byteLength(text);
}

/** `user@domain`, without angle brackets. Undefined: not an address, or too long. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT || damaged.test(text)) return undefined;
  let localPart: string;
  let at: number;
  const quoted = quotedString.exec(text);
  if (quoted) {
    localPart = (quoted[1] as string).replace(/\\(.)/g, '$1');
    at = quoted[0].length - 1;
  } else {
    at = text.indexOf('@');
    if (at < 0) return undefined;
    localPart = text.slice(0, at);
    if (!looseDotString.test(localPart)) return undefined;
  }
  localPart = localPart.normalize('NFC');
  const domain = parseDomain(text.slice(at + 1));
  if (domain === undefined || octets(localPart) > MAX_LOCAL_PART) return undefined;
  return octets(localPart) + 1 + domain.length > MAX_ADDRESS ? undefined : { localPart, domain };
}

/** A domain or address literal in the form that `Address.domain` has. */
export function parseDomain(text: string): string | undefined {
  if (text.length > MAX_DOMAIN) return undefined;
  if (text.startsWith('['))
    return text.endsWith(']') ? addressLiteral(text.slice(1, -1)) : undefined;
  const labels: string[] = [];
  for (const part of text.split('.')) {
    const ascii = notAscii.test(part) ? toALabel(part) : part.toLowerCase();
    if (ascii === undefined || ascii.length > 63 || !label.test(ascii)) return undefined;
    labels.push(ascii);
  }
  const domain = labels.join('.');
  return domain.length > MAX_DOMAIN ? undefined : domain;
}

/**
 * `domainToASCII` is made for URLs: it decodes percent signs, maps fullwidth letters and drops soft hyphens. A U-label (RFC
 * 5890 section 2.3.2.1) needs no mapping but of letter case, so whatever does not come back the same was none.
 */
function toALabel(text: string): string | undefined {
  if (!unicodeLabel.test(text)) return undefined;
  const ascii = domainToASCII(text);
  if (!ascii.startsWith('xn--')) return undefined;
  // Letter by letter: in context a capital sigma has two small forms.
  const lower = Array.from(text, (letter) => letter.toLowerCase()).join('');
  return domainToUnicode(ascii) === lower.normalize('NFC') ? ascii : undefined;
}

/** RFC 5321 section 4.1.3. No tag but IPv6 was ever registered, so there is no general form. */
function addressLiteral(text: string): string | undefined {
  if (/^ipv6:/i.test(text)) {
    const address = text.slice(5);
    // isIPv6 would let a zone (`%eth0`) through.
    if (address.includes('%') || !isIPv6(address)) return undefined;
    return `[IPv6:${new URL(`http://[${address}]`).hostname.slice(1, -1)}]`;
  }
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const numbers: number[] = [];
  for (const part of parts) {
    if (!/^[0-9]{1,3}$/.test(part) || Number(part) > 255) return undefined;
    numbers.push(Number(part));
  }
  return `[${numbers.join('.')}]`;
}

/** What follows `MAIL FROM:`, angle brackets included; `<>` is `{ address: undefined }`. */
export function parseReversePath(
  text: string,
): { readonly address: Address | undefined } | undefined {
  if (text === '<>') return { address: undefined };
  const address = parsePath(text);
  return address && { address };
}

/** What follows `RCPT TO:`, angle brackets included; `<Postmaster>` in any letter case has the domain ''. */
export function parseForwardPath(text: string): Address | undefined {
  if (/^<postmaster>$/i.test(text)) return { localPart: text.slice(1, -1), domain: '' };
  return parsePath(text);
}

/** A source route must be accepted and is ignored (RFC 5321 appendix C). */
function parsePath(text: string): Address | undefined {
  if (text.length > MAX_TEXT || !text.startsWith('<') || !text.endsWith('>')) return undefined;
  const path = text.slice(1, -1);
  if (!path.startsWith('@')) return parseAddress(path);
  const colon = path.indexOf(':');
  const route = path.slice(0, colon).split(',');
  const valid = route.every(
    (hop) => hop.startsWith('@') && !hop.startsWith('@[') && parseDomain(hop.slice(1)),
  );
  return colon > 0 && valid ? parseAddress(path.slice(colon + 1)) : undefined;
}

/** Whether it can only be sent with SMTPUTF8 (RFC 6531 section 3.4). A domain alone never asks for it: it has A-labels. */
export function needsSmtpUtf8(address: Address): boolean {
  return notAscii.test(address.localPart);
}

/** Quotes as little as possible (RFC 5321 section 4.1.2). `utf8`: the domain in U-labels, as people read it. */
export function printAddress(address: Address, options: { utf8?: boolean } = {}): string {
  const { localPart, domain } = address;
  const local = dotString.test(localPart) ? localPart : `"${localPart.replace(/["\\]/g, '\\$&')}"`;
  if (domain === '') return local;
  return `${local}@${options.utf8 ? printDomain(domain) : domain}`;
}

/** A domain as people read it. A label that only looks like an A-label stays as it is. */
export function printDomain(domain: string): string {
  if (!domain.includes('xn--')) return domain;
  const labels = domain.split('.').map((ascii) => {
    if (!ascii.startsWith('xn--')) return ascii;
    const unicode = domainToUnicode(ascii);
    return notAscii.test(unicode) && toALabel(unicode) === ascii ? unicode : ascii;
  });
  return labels.join('.');
}

/**
 * For lookups: equal for addresses that reach the same person here. RFC 5321 section 2.4 lets the receiving host alone
 * decide about the letter case of local parts; this host folds it.
 */
export function addressKey(address: Address): string {
  return `${address.localPart.toLowerCase().normalize('NFC')}@${address.domain}`;
}

export function sameDomain(a: Address, b: Address): boolean {
  return a.domain === b.domain;
}
