/** Decides, when a store is opened, what each of its directories is worth, before anything is read from them or written. */
import { MailError, isMailError, type Disk } from '@mail-server-kit/core';
import {
  RECORD_HEADER,
  SEGMENT_HEADER,
  readSegmentHeader,
  segmentName,
  segmentOf,
} from '../layout.js';
import { fill } from './compare.js';
import type { Reason } from './events.ts';
import {
  firstPast,
  goneAlone,
  readPast,
  relationOf,
  together,
  writePast,
  type Past,
} from './side-file.ts';
import { reasonOf, textOf, type Place, type Side, type Sides } from './sides.ts';

/** Segments that a start copies itself; more are copied behind. */
const AT_ONCE = 2;

/** What a directory holds. */
interface Contents {
  readonly side: Side;
  readonly past: Past | undefined;
  readonly store: Uint8Array | undefined;
  /** Segments that have records, and whether they are compacted. */
  readonly used: ReadonlyMap<number, boolean>;
  /** Segments of which nothing can be told: no header, or another one's. */
  readonly bad: ReadonlySet<number>;
  /** Made ahead. */
  readonly blank: ReadonlySet<number>;
}

export interface OpenedSides {
  /** Sides that have to be filled. */
  readonly behind: readonly Side[];
  /** Segments were missing somewhere: all should be compared soon. */
  readonly doubtful: boolean;
}

/**
 * Afterwards the sides that are whole can be opened as one. Of a new store nothing is made here: `beginStore` follows when its
 * journal is there.
 * @throws MailError CANNOT if directories do not belong together, or a later version wrote one; UNAVAILABLE if none can be used
 */
export function openSides(sides: Sides): OpenedSides {
  const opened = decide(sides);
  sides.announce();
  return opened;
}

function decide(sides: Sides): OpenedSides {
  const found = sides.all.flatMap((side) => look(sides, side) ?? []);
  const empty = found.filter(isEmpty);
  const full = found.filter((each) => !isEmpty(each));
  const [first, second] = full;
  if (!first) {
    makeNew(sides, empty);
    return { behind: [], doubtful: false };
  }
  if (!second) {
    goOnAlone(sides, first);
    for (const { side } of empty) sides.note(side, 'new', 'the directory is empty');
    return { behind: empty.map(({ side }) => side), doubtful: false };
  }
  return openBoth(sides, first, second);
}

/** Nothing that was acknowledged can be there, at most the beginnings of a store. */
const isEmpty = ({ past, used, bad }: Pick<Contents, 'past' | 'used' | 'bad'>) =>
  !past && used.size === 0 && bad.size === 0;

/** @throws MailError CANNOT; the system's error */
export const holdsNothing = (disk: Disk): boolean => isEmpty(contentsOf(disk));

/** Undefined: it cannot be used, and `sides` knows why. */
function look(sides: Sides, side: Side): Contents | undefined {
  const { place } = side;
  // One directory alone is made when it is not there, as ever.
  if (sides.all.length > 1 && !place.exists()) {
    sides.note(side, 'missing', `${place.directory} does not exist`);
    return undefined;
  }
  try {
    place.take();
    return { side, ...contentsOf(place.journal) };
  } catch (error) {
    // In use, or of a later version: somebody has to decide.
    if (isMailError(error) || sides.all.length === 1) throw error;
    sides.note(side, reasonOf(error), textOf(error));
    return undefined;
  }
}

function contentsOf(disk: Disk): Omit<Contents, 'side'> {
  const past = readPast(disk);
  let store = past?.store;
  const used = new Map<number, boolean>();
  const bad = new Set<number>();
  const blank = new Set<number>();
  for (const name of disk.list()) {
    const number = segmentOf(name);
    if (number === undefined) continue;
    const { head, size } = headOf(disk, name);
    const header = readSegmentHeader(head);
    if (header === 'too new') {
      throw new MailError('CANNOT', `${name} was written by a later version`);
    }
    const cut = typeof header === 'object' && !header.compacted && size < header.octets;
    if (header === 'damaged' || header.segment !== number || cut) bad.add(number);
    else {
      store ??= header.store;
      if (Buffer.compare(store, header.store) !== 0) bad.add(number);
      else if (head.subarray(SEGMENT_HEADER).every((octet) => octet === 0)) blank.add(number);
      else used.set(number, header.compacted);
    }
  }
  return { past, store, used, bad, blank };
}

/** Its header, and that of the first record. */
function headOf(disk: Disk, name: string): { readonly head: Buffer; readonly size: number } {
  const head = Buffer.alloc(SEGMENT_HEADER + RECORD_HEADER);
  try {
    const file = disk.open(name, 'read');
    try {
      return { head: head.subarray(0, file.read(head, 0)), size: file.size() };
    } finally {
      file.close();
    }
  } catch {
    return { head: head.subarray(0, 0), size: 0 };
  }
}

/** @throws MailError UNAVAILABLE if it may be that a directory with a store is merely not there today */
function makeNew(sides: Sides, empty: readonly Contents[]): void {
  const missing = sides.all.filter(({ reason }) => reason === 'missing');
  const away = sides.all.find(
    (side) => side.state === 'out' && side.reason && !missing.includes(side),
  );
  if (away) throw new MailError('UNAVAILABLE', `${away.place.directory}: ${away.text}`);
  if (missing.length > 0 && empty.length > 0) {
    const there = empty[0]?.side.place.directory;
    const gone = missing[0]?.place.directory;
    throw new MailError(
      'UNAVAILABLE',
      `${there} is empty and ${gone} does not exist: is its disk there? For a new store, make both or neither`,
    );
  }
  for (const side of sides.all) {
    side.place.take();
    side.reason = undefined;
    side.since = 0;
    sides.isWhole(side, undefined);
  }
  // What an earlier start had begun may be there on one side only.
  for (const { side, blank } of empty) {
    const { journal } = side.place;
    for (const number of blank) journal.remove(segmentName(number));
    if (blank.size > 0) journal.syncDirectory();
  }
}

/** Writes down that the sides of a new store belong together. */
export function beginStore(sides: Sides, store: Uint8Array): void {
  const { random } = sides.world;
  if (sides.whole.some(({ past }) => past)) return;
  const past = firstPast(store, random);
  for (const side of sides.whole) {
    side.past = sides.all.length > 1 ? writePast(side.place.journal, past) : past;
  }
}

function goOnAlone(sides: Sides, { side, past, store, used, bad, blank }: Contents): void {
  const segments = used.size + bad.size + blank.size;
  const { clock, random } = sides.world;
  const { directory, journal } = side.place;
  if (past?.filling) throw new MailError('UNAVAILABLE', incomplete(directory));
  if (past && segments === 0) throw new MailError('CORRUPTION', noJournal(directory));
  // A store that never had a mirror, and has none now, needs no file.
  if (!past && sides.all.length === 1) {
    sides.isWhole(side, firstPast(store ?? random.bytes(16), random));
    return;
  }
  const other = sides.all.find((each) => each !== side);
  const reason = other?.reason ? `${other.reason}: ${other.text}` : 'opened without the other side';
  let now = past ?? { ...firstPast(store as Uint8Array, random), sequence: 0 };
  if (!past || !past.alone) now = writePast(journal, goneAlone(now, random, clock.now(), reason));
  sides.isWhole(side, now);
}

const noJournal = (directory: string) => `${directory} has lost all of its journal`;

const incomplete = (directory: string) =>
  `${directory} does not hold everything: it was being filled from its other side, without which it cannot be opened`;

function openBoth(sides: Sides, first: Contents, second: Contents): OpenedSides {
  const names = `${first.side.place.directory} and ${second.side.place.directory}`;
  if (first.store && second.store && Buffer.compare(first.store, second.store) !== 0) {
    throw new MailError(
      'CANNOT',
      `${names} hold different stores; a mirror needs two sides of one`,
    );
  }
  switch (relation(first, second, names)) {
    case 'first is behind':
      return openOne(sides, second, first, 'behind', 'the other side went on without it');
    case 'second is behind':
      return openOne(sides, first, second, 'behind', 'the other side went on without it');
    case 'apart':
      throw new MailError(
        'CANNOT',
        `${names} were both used alone and now differ. They are never merged: move one of them away, make an empty directory in its place, and it is filled from the other`,
      );
    case 'same':
      return openSame(sides, first, second);
  }
}

function relation(first: Contents, second: Contents, names: string): ReturnType<typeof relationOf> {
  if (first.past?.filling && second.past?.filling) {
    throw new MailError('UNAVAILABLE', `Neither of ${names} holds everything`);
  }
  if (first.past?.filling) return 'first is behind';
  if (second.past?.filling) return 'second is behind';
  if (first.past && second.past) return relationOf(first.past, second.past);
  throw new MailError(
    'CANNOT',
    `${names} both hold mail and are not known to be two sides of a mirror. Move one of them away, make an empty directory in its place, and it is filled from the other`,
  );
}

function openOne(
  sides: Sides,
  good: Contents,
  other: Contents,
  reason: Reason,
  text: string,
): OpenedSides {
  sides.note(other.side, reason, text);
  goOnAlone(sides, good);
  return { behind: [other.side], doubtful: false };
}

function openSame(sides: Sides, first: Contents, second: Contents): OpenedSides {
  const both = [first, second] as const;
  const last = Math.max(1, ...both.flatMap(({ used }) => [...used.keys()]));
  const lacks = both.map((one, i) => {
    const { used, blank } = both[1 - i] as Contents;
    const there = [...used.keys(), ...blank].filter((number) => number <= last);
    return there.filter((number) => !one.used.has(number) && !one.blank.has(number));
  });
  if (both.every(({ used, blank, bad }) => used.size + blank.size + bad.size === 0)) {
    throw new MailError('CORRUPTION', noJournal(first.side.place.directory));
  }
  const count = lacks.map(({ length }) => length);
  if (count[0] === 0 && (count[1] as number) > AT_ONCE) {
    return openOne(sides, first, second, 'damaged', `${count[1]} segments are missing`);
  }
  if (count[1] === 0 && (count[0] as number) > AT_ONCE) {
    return openOne(sides, second, first, 'damaged', `${count[0]} segments are missing`);
  }
  for (const { side, past } of both) {
    const now = past as Past;
    sides.isWhole(side, now.alone ? writePast(side.place.journal, together(now)) : now);
  }
  removeBlank(both, last);
  for (const [i, numbers] of lacks.entries()) {
    const to = both[i] as Contents;
    for (const segment of numbers) copy(sides, both[1 - i] as Contents, to, segment);
  }
  // A crash between two renames of a compaction.
  const forms = [...first.used].some(
    ([number, compacted]) => second.used.get(number) !== compacted,
  );
  const hollow = both.some(({ blank }) => [...blank].some((number) => number < last));
  return { behind: [], doubtful: forms || hollow || count.some((each) => each > 0) };
}

/** What was made ahead is made again; a side may have had no time for it. */
function removeBlank(both: readonly Contents[], last: number): void {
  for (const { side, blank, bad } of both) {
    const disk = side.place.journal;
    const numbers = [...blank, ...bad].filter((number) => number > last);
    for (const number of numbers) disk.remove(segmentName(number));
    if (numbers.length > 0) disk.syncDirectory();
  }
}

function copy(sides: Sides, from: Contents, to: Contents, segment: number): void {
  const disks = [from.side.place.journal, to.side.place.journal];
  // The checksums are looked at later: what counts now is that it can be opened.
  for (const _ of fill(disks, { segment, seed: 0, end: SEGMENT_HEADER })) continue;
  const { directory } = to.side.place;
  sides.damage({ directory, segment, offset: 0, healed: true });
}

/**
 * Which directory holds most, for somebody who only wants to read. Nothing is changed.
 * @throws MailError CANNOT if they do not belong together, UNAVAILABLE if none is whole
 */
export function sideToRead(
  places: readonly Pick<Place, 'directory' | 'journal' | 'exists'>[],
): string {
  const found = places.flatMap(({ directory, journal, exists }) => {
    if (!exists()) return [];
    try {
      const { past, store, used } = contentsOf(journal);
      return used.size === 0 ? [] : [{ directory, past, store }];
    } catch (error) {
      if (isMailError(error)) throw error;
      return [];
    }
  });
  const whole = found.filter(({ past }) => !past?.filling);
  const [first, second] = whole;
  if (!first) {
    const [filling] = found;
    if (filling) throw new MailError('UNAVAILABLE', incomplete(filling.directory));
    return (places[0] as Place).directory;
  }
  if (!second || !first.past || !second.past) return first.directory;
  switch (relationOf(first.past, second.past)) {
    case 'first is behind':
      return second.directory;
    case 'apart':
      throw new MailError('CANNOT', `${first.directory} and ${second.directory} were used alone`);
    default:
      return first.directory;
  }
}
