/** Dates and times as IMAP writes them (RFC 9051 section 9: date, date-time). */

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const monthNumbers = new Map(months.map((name, index) => [name.toUpperCase(), index]));

export interface DateTime {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Minutes east of UTC. */
  readonly zone: number;
}

/** `17-Jul-1996`, day of one or two digits. Undefined if it is not a day of the calendar. Milliseconds of its 00:00 UTC. */
export function parseDate(text: string): number | undefined {
  const [day, month, year, more] = text.split('-');
  if (more !== undefined || !isDigits(day, 1, 2) || !isDigits(year, 4, 4)) return undefined;
  const index = monthNumbers.get((month ?? '').toUpperCase());
  if (index === undefined) return undefined;
  const time = utc(Number(year), index, Number(day));
  return new Date(time).getUTCDate() === Number(day) ? time : undefined;
}

/** `17-Jul-1996 02:44:25 -0700`, a day of one digit with a space in front. */
export function parseDateTime(text: string): DateTime | undefined {
  if (text.length !== 26 || text[11] !== ' ' || text[20] !== ' ') return undefined;
  const day = parseDate(text.slice(0, 11).trimStart());
  const hours = two(text, 12);
  const minutes = two(text, 15);
  const seconds = two(text, 18);
  const zoneHours = two(text, 22);
  const zoneMinutes = two(text, 24);
  const sign = text[21] === '+' ? 1 : text[21] === '-' ? -1 : 0;
  if (day === undefined || sign === 0 || text[14] !== ':' || text[17] !== ':') return undefined;
  if (hours === undefined || minutes === undefined || seconds === undefined) return undefined;
  if (zoneHours === undefined || zoneMinutes === undefined) return undefined;
  // 60: a leap second.
  if (hours > 23 || minutes > 59 || seconds > 60 || zoneHours > 23 || zoneMinutes > 59) {
    return undefined;
  }
  const zone = sign * (zoneHours * 60 + zoneMinutes);
  return { time: day + ((hours * 60 + minutes - zone) * 60 + seconds) * 1000, zone };
}

/** With quotes, as INTERNALDATE shows it. */
export function printDateTime({ time, zone }: DateTime): string {
  const local = time + zone * 60_000;
  const day = Math.floor(local / DAY);
  const seconds = Math.floor((local - day * DAY) / 1000);
  const hours = Math.floor(seconds / 3600);
  const clock = `${pad(hours)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  const east = Math.abs(zone);
  const offset = `${zone < 0 ? '-' : '+'}${pad(Math.floor(east / 60))}${pad(east % 60)}`;
  return `"${printDay(day)} ${clock} ${offset}"`;
}

const DAY = 86_400_000;

/** Of the messages of a mailbox many have come on the same day. */
let lastDay: { readonly day: number; readonly text: string } | undefined;

function printDay(day: number): string {
  if (lastDay?.day !== day) {
    const at = new Date(day * DAY);
    const year = String(at.getUTCFullYear()).padStart(4, '0');
    const text = `${String(at.getUTCDate()).padStart(2)}-${months[at.getUTCMonth()]}-${year}`;
    lastDay = { day, text };
  }
  return lastDay.text;
}

function utc(year: number, month: number, day: number): number {
  // Date.UTC takes 0 to 99 for 1900 to 1999.
  return new Date(0).setUTCFullYear(year, month, day);
}

function pad(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

function two(text: string, at: number): number | undefined {
  const digits = text.slice(at, at + 2);
  return isDigits(digits, 2, 2) ? Number(digits) : undefined;
}

function isDigits(text: string | undefined, least: number, most: number): text is string {
  if (text === undefined || text.length < least || text.length > most) return false;
  for (const digit of text) if (digit < '0' || digit > '9') return false;
  return true;
}
