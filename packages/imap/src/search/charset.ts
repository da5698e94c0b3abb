/** CHARSET of SEARCH (RFC 9051 section 6.4.4): US-ASCII and UTF-8 and nothing else. */
import { no, type Refusal } from '../outcome.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

const known = ['US-ASCII', 'UTF-8'];

/** Reads `CHARSET name ` if it is there; true if we know it. */
export function readCharset(read: Reader): boolean {
  if (!read.skipWord('CHARSET')) return true;
  read.sp();
  const name = read.astring('a charset').toUpperCase();
  read.sp();
  return known.includes(name);
}

export function badCharset(): Refusal {
  return no(`BADCHARSET (${known.join(' ')})`, 'The charset is not supported');
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Without CHARSET too, octets above 127 are read as UTF-8: several clients send them so. */
export function readText(read: Reader): string {
  const octets = read.astringOctets('a text to look for');
  if (octets.includes(0)) throw new Problem('NUL cannot be searched for');
  try {
    return decoder.decode(octets);
  } catch {
    throw new Problem('The text is not UTF-8');
  }
}
