/** The Date field (RFC 5322 section 3.3, and the obsolete forms of section 4.3). */
import { Tokens } from './tokens.ts';

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Minutes east of UTC. The letters of the military are taken for -0000, as RFC 5322 section 4.3 says. */
const zones: Readonly<Record<string, number>> = {
  ut: 0,
  utc: 0,
  gmt: 0,
  z: 0,
  edt: -240,
  est: -300,
  cdt: -300,
  cst: -360,
  mdt: -360,
  mst: -420,
  pdt: -420,
  pst: -480,
};

export interface DateTime {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Minutes east of UTC. */
  readonly zone: number;
}

/**
 * `[day-of-week ","] day month year time zone`. Undefined if day, month or year cannot be read or do not exist; a time
 * that cannot be read is 00:00, a zone UTC.
 */
export function parseDate(value: string): DateTime | undefined {
  const text = withoutComments(value);
  const comma = text.indexOf(',');
  const words = text
    .slice(comma + 1)
    .split(/[\s-]+/, 12)
    .filter((word) => word !== '');
  // Some leave out the comma behind the day of the week.
  while (words.length > 0 && !/^\d/.test(words[0] as string)) {
    if (monthOf(words[0]) !== -1) break;
    words.shift();
  }
  // `Nov 21 1997`, as asctime writes it: the time is in front of the year.
  if (monthOf(words[0]) !== -1) return asctime(words);
  const day = number(words[0]);
  const month = monthOf(words[1]);
  const year = yearOf(words[2]);
  const time = timeOf(words[3]);
  return assemble(year, month, day, time, text.includes(':') ? zoneOf(text, words[4]) : 0);
}

function asctime([month, day, time, year, zone]: readonly string[]): DateTime | undefined {
  const isYearFirst = time !== undefined && !time.includes(':');
  const [t, y] = isYearFirst ? [year, time] : [time, year];
  return assemble(
    yearOf(y),
    monthOf(month),
    number(day),
    timeOf(t),
    zones[zone?.toLowerCase() ?? ''] ?? 0,
  );
}

function assemble(
  year: number,
  month: number,
  day: number,
  seconds: number,
  zone: number,
): DateTime | undefined {
  if (!(year >= 1 && year <= 9999 && month >= 0 && day >= 1 && day <= 31)) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (date.getUTCDate() !== day) return undefined;
  return { time: date.getTime() + seconds * 1000 - zone * 60_000, zone };
}

/** Comments may stand anywhere, also between the digits of a time: `09(comment):   55  :  06`. */
function withoutComments(value: string): string {
  if (!value.includes('('))
    return value
      .slice(0, 256)
      .replace(/\s?:\s?/g, ':')
      .trim();
  const tokens = new Tokens(value.slice(0, 256));
  let text = '';
  while (!tokens.done) {
    const from = tokens.position;
    tokens.skip();
    if (tokens.position > from) text += ' ';
    text += tokens.next;
    tokens.position++;
  }
  return text.replace(/ ?: ?/g, ':').trim();
}

const number = (word: string | undefined) => (word && /^\d{1,4}$/.test(word) ? Number(word) : NaN);

const monthOf = (word: string | undefined) => months.indexOf(word?.slice(0, 3).toLowerCase() ?? '');

/** Years of two digits from 50 are of the last century, those of three digits count from 1900 (RFC 5322 section 4.3). */
function yearOf(word: string | undefined): number {
  const year = number(word);
  if (word === undefined || word.length > 3) return year;
  return word.length === 2 && year < 50 ? year + 2000 : year + 1900;
}

/** Seconds since midnight. */
function timeOf(word: string | undefined): number {
  const match = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?/.exec(word ?? '');
  if (!match) return 0;
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  return hours < 24 && minutes < 60 && seconds <= 60 ? hours * 3600 + minutes * 60 + seconds : 0;
}

function zoneOf(text: string, word: string | undefined): number {
  // Behind the time, because some write the date with hyphens.
  const match = /[+-]\d{4}/.exec(text.slice(text.lastIndexOf(':') + 1));
  if (!match) return zones[word?.toLowerCase() ?? ''] ?? 0;
  const minutes = Number(match[0].slice(1, 3)) * 60 + Number(match[0].slice(3));
  return match[0].startsWith('-') ? -minutes : minutes;
}
