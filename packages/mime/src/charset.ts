/** Octets to text. Whatever a message claims, this gives text; it never throws. */
import iconv from 'iconv-lite';

/**
 * Names that mail uses and the library does not know under that name. The first three are what WHATWG makes of them
 * too: real senders mean the larger set.
 */
const aliases: Readonly<Record<string, string>> = {
  'iso-8859-1': 'windows-1252',
  latin1: 'windows-1252',
  'us-ascii': 'utf-8',
  ascii: 'utf-8',
  'ansi-x3.4-1968': 'utf-8',
  'iso-8859-8-i': 'iso-8859-8',
  'iso-8859-8-e': 'iso-8859-8',
  'ks_c_5601-1987': 'euc-kr',
  'x-gbk': 'gbk',
  'x-sjis': 'shift_jis',
  'unicode-1-1-utf-7': 'utf-7',
  'unicode-1-1-utf-8': 'utf-8',
};

/** Encodings that the library lacks and the platform has. */
const platform: Readonly<Record<string, string>> = {
  'iso-2022-jp': 'iso-2022-jp',
  'iso-2022-jp-1': 'iso-2022-jp',
  'iso-2022-jp-2': 'iso-2022-jp',
  'iso-2022-jp-3': 'iso-2022-jp',
  'iso-2022-jp-ms': 'iso-2022-jp',
};

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Asking the library is slow for names it does not know, and a header may hold thousands of them. */
const MAX_KNOWN = 500;
const known = new Map<string, string | undefined>();

/** The charset as the decoders know it, or undefined if no one does. */
export function knownCharset(charset: string): string | undefined {
  const name = charset.trim().toLowerCase();
  if (Object.hasOwn(platform, name)) return name;
  if (known.has(name)) return known.get(name);
  const alias = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
  const found = iconv.encodingExists(alias) ? alias : undefined;
  if (known.size >= MAX_KNOWN) known.clear();
  if (name.length <= 64) known.set(name, found);
  return found;
}

/** Unknown charset, or octets that are no US-ASCII: UTF-8 if they are valid as such, else windows-1252. */
export function decodeCharset(octets: Uint8Array, charset: string): string {
  const name = knownCharset(charset) ?? 'utf-8';
  const label = platform[name];
  // ISO-2022 has seven bits; with eight the label is wrong, and mostly it is UTF-8 or Shift_JIS.
  if (label && isSevenBit(octets)) return new TextDecoder(label).decode(octets);
  if (label) return decodeUtf8(octets, 'shift_jis');
  if (name === 'utf-8' || name === 'utf8') return decodeUtf8(octets);
  return iconv.decode(asBuffer(octets), name);
}

function decodeUtf8(octets: Uint8Array, otherwise = 'windows-1252'): string {
  try {
    return strictUtf8.decode(octets);
  } catch {
    return iconv.decode(asBuffer(octets), otherwise);
  }
}

function isSevenBit(octets: Uint8Array): boolean {
  for (let at = 0; at < octets.length; at++) if ((octets[at] as number) > 127) return false;
  return true;
}

/** Text that comes with no word about its charset: a header of RFC 6532, or of a sender who did not care. */
export function decodeUnlabelled(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 127) return decodeUtf8(Buffer.from(text, 'latin1'));
  }
  return text;
}

export const asBuffer = (octets: Uint8Array): Buffer =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
