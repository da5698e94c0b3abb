/**
 * What each side of a mirror knows of its past, in the file `side` of its journal's folder. Whenever a side goes on alone it
 * begins a generation: a random name in front of those before it. A side whose last generation is among the earlier ones of
 * another is merely behind. If neither knows the other's last, both went on alone, and no program can merge them.
 */
import { MailError, type Disk, type Random } from '@mail-server-kit/core';
import { readSmallFile, writeSmallFile } from './mirrored-file.ts';

/** Twice, for without it nobody could tell what a side is. */
const FILES = ['side', 'side.again'] as const;

/** Generations remembered. A side that was away for longer is refused, not filled. */
const GENERATIONS = 256;
const NAME = 8;
const FIXED = 11;

export interface Past {
  readonly store: Uint8Array;
  /** Counts up with each writing. */
  readonly sequence: number;
  /** Does not hold everything: it was being filled. */
  readonly filling: boolean;
  /** Goes on without the other since its last generation began. */
  readonly alone: boolean;
  /** Milliseconds since 1970 at which `alone` or `filling` began. */
  readonly since: number;
  /** Names in hexadecimal, the last one first. */
  readonly generations: readonly string[];
  /** Why it goes on alone, for the operator. */
  readonly reason: string;
}

/** @throws MailError CORRUPTION, CANNOT; the system's error */
export function readPast(disk: Disk): Past | undefined {
  let newest: Past | undefined;
  let damage: unknown;
  for (const name of FILES) {
    try {
      const past = readOne(disk, name);
      if (past && past.sequence > (newest?.sequence ?? 0)) newest = past;
    } catch (error) {
      damage ??= error;
    }
  }
  if (!newest && damage !== undefined) throw damage;
  return newest;
}

function readOne(disk: Disk, name: string): Past | undefined {
  const file = readSmallFile(disk, name);
  if (!file) return undefined;
  const bytes = Buffer.from(file.contents);
  const count = bytes.length < FIXED ? -1 : bytes.readUInt16LE(9);
  const end = FIXED + count * NAME;
  if (count < 0 || end > bytes.length) throw new MailError('CORRUPTION', `${name} is damaged`);
  const flags = bytes[0] as number;
  return {
    store: file.store,
    sequence: file.sequence,
    filling: (flags & 1) !== 0,
    alone: (flags & 2) !== 0,
    since: bytes.readDoubleLE(1),
    generations: Array.from({ length: count }, (_, i) =>
      bytes.toString('hex', FIXED + i * NAME, FIXED + (i + 1) * NAME),
    ),
    reason: bytes.toString('utf8', end),
  };
}

/** Durable when it returns what was written. @throws the system's error */
export function writePast(disk: Disk, past: Past): Past {
  const names = past.generations.slice(0, GENERATIONS);
  const head = Buffer.alloc(FIXED);
  head[0] = (past.filling ? 1 : 0) | (past.alone ? 2 : 0);
  head.writeDoubleLE(past.since, 1);
  head.writeUInt16LE(names.length, 9);
  const contents = Buffer.concat([
    head,
    Buffer.from(names.join(''), 'hex'),
    Buffer.from(past.reason.slice(0, 500), 'utf8'),
  ]);
  const sequence = past.sequence + 1;
  for (const name of FILES) writeSmallFile(disk, name, { store: past.store, sequence, contents });
  return { ...past, sequence };
}

export const firstPast = (store: Uint8Array, random: Random): Past => ({
  ...{ store, sequence: 0, filling: false, alone: false, since: 0, reason: '' },
  generations: [newName(random)],
});

/** The past of a side that goes on alone from here. */
export const goneAlone = (past: Past, random: Random, since: number, reason: string): Past => ({
  ...past,
  ...{ alone: true, since, reason },
  generations: [newName(random), ...past.generations],
});

export const together = (past: Past): Past => ({
  ...past,
  ...{ filling: false, alone: false, since: 0, reason: '' },
});

const newName = (random: Random) => Buffer.from(random.bytes(NAME)).toString('hex');

export type Relation = 'same' | 'first is behind' | 'second is behind' | 'apart';

/** Of two sides that both hold everything they ever held. */
export function relationOf(first: Past, second: Past): Relation {
  const [a = ''] = first.generations;
  const [b = ''] = second.generations;
  // Copies of one side that goes on alone may have been used apart since: nothing tells.
  if (a === b) return first.alone && second.alone ? 'apart' : 'same';
  if (second.generations.includes(a)) return 'first is behind';
  if (first.generations.includes(b)) return 'second is behind';
  return 'apart';
}
