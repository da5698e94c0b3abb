/**
 * Encoded-words (RFC 2047, language suffix of RFC 2231 section 5) to text. What is not one is left as it is. Searching is
 * by indexOf, so that a header made of `=?` costs no more than any other.
 */
import { decodeCharset, decodeUnlabelled, knownCharset } from './charset.ts';
import { isSpace } from './tokens.ts';

interface Word {
  readonly charset: string;
  readonly octets: Buffer;
  readonly end: number;
}

/** `value`: one character per octet, unfolded. Octets above 127 outside of encoded-words are taken for UTF-8, else windows-1252. */
export function decodeEncodedWords(value: string): string {
  let at = value.indexOf('=?');
  if (at === -1) return decodeUnlabelled(value);
  let text = '';
  let plainFrom = 0;
  let pending: { charset: string; parts: Buffer[] } | undefined;
  const flush = () => {
    if (pending) text += decodeCharset(Buffer.concat(pending.parts), pending.charset);
    pending = undefined;
  };
  for (; at !== -1; at = value.indexOf('=?', at)) {
    const word = wordAt(value, at);
    if (!word) {
      at += 2;
      continue;
    }
    // White space between two encoded-words is none (RFC 2047 section 6.2).
    if (!pending || !isBlank(value, plainFrom, at)) {
      flush();
      text += decodeUnlabelled(value.slice(plainFrom, at));
    }
    // Senders cut in the middle of a character, against RFC 2047 section 5; joined octets of one charset heal that.
    if (pending?.charset !== word.charset) {
      flush();
      pending = { charset: word.charset, parts: [] };
    }
    pending.parts.push(word.octets);
    plainFrom = at = word.end;
  }
  flush();
  return text + decodeUnlabelled(value.slice(plainFrom));
}

function isBlank(value: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isSpace(value.charCodeAt(at))) return false;
  return true;
}

/** An encoded-word may have 75 characters; senders make longer ones, but none of this length. */
const MAX_WORD = 4096;

/** `=?charset[*language]?encoding?text?=` */
function wordAt(value: string, start: number): Word | undefined {
  const charsetEnd = questionMark(value, start + 2, 64);
  if (charsetEnd === -1 || value.charAt(charsetEnd + 2) !== '?') return undefined;
  const encoding = value.charAt(charsetEnd + 1).toUpperCase();
  const textStart = charsetEnd + 3;
  const textEnd = questionMark(value, textStart, MAX_WORD);
  if (textEnd === -1 || value.charAt(textEnd + 1) !== '=') return undefined;
  const [charset = ''] = value
    .slice(start + 2, charsetEnd)
    .toLowerCase()
    .split('*', 1);
  if (knownCharset(charset) === undefined) return undefined;
  const text = value.slice(textStart, textEnd);
  const octets =
    encoding === 'B' ? Buffer.from(text, 'base64') : encoding === 'Q' ? decodeQ(text) : undefined;
  return octets && { charset, octets, end: textEnd + 2 };
}

/** The next question mark not further than `limit`, -1 if there is none. */
function questionMark(value: string, start: number, limit: number): number {
  const end = Math.min(value.length, start + limit);
  for (let at = start; at < end; at++) if (value.charCodeAt(at) === 63) return at;
  return -1;
}

function decodeQ(text: string): Buffer {
  const octets = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code === 95) code = 32;
    else if (code === 61) {
      const hex = text.slice(at + 1, at + 3);
      if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
        code = parseInt(hex, 16);
        at += 2;
      }
    }
    octets[length++] = code;
  }
  return octets.subarray(0, length);
}
