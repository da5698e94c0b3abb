/** The directories of a store: which of them hold everything, which are out, and what becomes known when that changes. */
import type { Clock, Disk, Log, Random } from '@mail-server-kit/core';
import type { LinkOptions } from '../engine.ts';
import { segmentOf } from '../layout.js';
import type { Link } from '../link.ts';
import type { Damage, Reason, ScrubReport, SideHealth, StoreEvent, StoreHealth } from './events.ts';
import { goneAlone, writePast, type Past } from './side-file.ts';

/** One directory, on whatever it lies. */
export interface Place {
  /** As whoever runs the store calls it. */
  readonly directory: string;
  /** Of its journal, for threads. */
  readonly folder: string;
  readonly journal: Disk;
  /** Whether the directory is there, with a journal or without. */
  exists(): boolean;
  /** There is nothing in the directory: somebody is not just removing it. */
  isEmpty(): boolean;
  /** Tells a file of the journal's folder, or the folder itself, from another of the same name. */
  inode(name?: string): Promise<string | undefined>;
  /** Takes the lock and makes the folder of the journal. @throws MailError UNAVAILABLE if another process has it */
  take(): void;
  /** Gives the lock back, if it was taken. */
  release(): void;
  /** Whether another folder is in the directory. */
  has(name: string): boolean;
  /** Another folder in the directory, made when it is not there. */
  other(name: string): Disk;
  link(options: LinkOptions): Link & { readonly started?: Promise<void> };
}

export interface Side {
  readonly place: Place;
  state: 'whole' | 'filling' | 'out';
  /** Of a side that is being filled: it gets what is written from now on. */
  joined: boolean;
  past: Past | undefined;
  reason: Reason | undefined;
  text: string;
  since: number;
  filled: { readonly done: number; readonly total: number } | undefined;
}

export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onEvent: (event: StoreEvent) => void;
}

export class Sides {
  readonly all: readonly Side[];
  readonly world: World;
  readonly #unhealed: Damage[] = [];
  readonly #changes = new Map<string, number>();
  lastScrub: ScrubReport | undefined;
  /** Why nothing can be written any more. */
  failed: unknown;
  /** Called with a segment that one side could not give as it should be. */
  onSuspect: (segment: number) => void = () => {};
  /** Called before a name of the journal's folder means another file, or none. */
  onChange: (name: string) => void = () => {};
  /** Called when the last side cannot record that it is alone. */
  onFatal: (error: unknown) => void = () => {};
  /** Called when a side is out. */
  onLost: (side: Side) => void = () => {};

  constructor(places: readonly Place[], world: World) {
    this.world = world;
    this.all = places.map((place) => ({
      ...{ place, joined: false, past: undefined, text: '', since: 0, filled: undefined },
      ...{ state: 'out', reason: undefined },
    }));
  }

  /** Those that hold everything; reads go to them. */
  get whole(): readonly Side[] {
    return this.all.filter(({ state }) => state === 'whole');
  }

  /** Those that get what is written. */
  get writers(): readonly Side[] {
    return this.all.filter(({ state, joined }) => state === 'whole' || joined);
  }

  /**
   * The service goes on without this side. When it returns, the others know so durably.
   * @throws `error` if there is no other; the system's error if the other cannot record it
   */
  lose(side: Side, reason: Reason, error: unknown): void {
    if (side.state === 'out') return;
    const wasWhole = side.state === 'whole';
    const others = this.whole.filter((each) => each !== side);
    if (wasWhole && others.length === 0) throw error;
    const text = textOf(error);
    this.#out(side, reason, text);
    try {
      if (wasWhole) for (const other of others) this.goAlone(other, `${reason}: ${text}`);
    } catch (fatal) {
      this.onFatal(fatal);
      throw fatal;
    }
    this.onLost(side);
  }

  /** Begins a generation. @throws the system's error */
  goAlone(side: Side, reason: string): void {
    const { random } = this.world;
    // Of a store that is just being made: it has no sides yet that could differ.
    if (!side.past) return;
    const past = goneAlone(side.past, random, this.world.clock.now(), reason);
    side.past = writePast(side.place.journal, past);
  }

  /** A side that was not whole to begin with. */
  keepOut(side: Side, reason: Reason, text: string): void {
    if (side.reason === reason && side.text === text && side.state === 'out') return;
    this.#out(side, reason, text);
  }

  #out(side: Side, reason: Reason, text: string): void {
    this.note(side, reason, text);
    this.#tellOut(side);
  }

  /** While a store is being opened: nobody is told before it is clear what that means. */
  note(side: Side, reason: Reason, text: string): void {
    const since = this.world.clock.now();
    Object.assign(side, { state: 'out', joined: false, filled: undefined });
    Object.assign(side, { reason, text, since });
  }

  #tellOut({ place, reason, text, since }: Side): void {
    const { directory } = place;
    if (reason) this.tell({ kind: 'degraded', directory, reason, text, at: since });
  }

  /** What was noted. */
  announce(): void {
    for (const side of this.all) if (side.state === 'out') this.#tellOut(side);
  }

  /** It holds everything, from now on. */
  isWhole(side: Side, past: Past | undefined): void {
    const wasOut = side.state !== 'whole' && side.since > 0;
    Object.assign(side, { state: 'whole', joined: false, filled: undefined, past });
    Object.assign(side, { reason: undefined, text: '', since: 0 });
    const { directory } = side.place;
    if (wasOut) this.tell({ kind: 'whole', directory, at: this.world.clock.now() });
  }

  /** A name of the journal's folder is about to mean another file, or none. */
  changing(name: string): void {
    // Lists of segments and the like are not copied.
    if (segmentOf(name) === undefined) return;
    this.#changes.set(name, this.changesOf(name) + 1);
    this.onChange(name);
  }

  /** How often that has happened. */
  changesOf(name: string): number {
    return this.#changes.get(name) ?? 0;
  }

  /** Nothing can be written any more. */
  fail(error: unknown): void {
    if (this.failed !== undefined) return;
    this.failed = error;
    this.tell({ kind: 'failed', text: textOf(error), at: this.world.clock.now() });
  }

  damage(damage: Damage): Damage {
    // A disk that goes on rotting must not fill the memory.
    if (!damage.healed && this.#unhealed.length < 1000) this.#unhealed.push(damage);
    this.tell({ kind: 'damage', ...damage });
    return damage;
  }

  tell(event: StoreEvent): void {
    const { kind, ...details } = event;
    this.world.log({ level: levelOf(event), service: 'storage', event: says[kind], ...details });
    this.world.onEvent(event);
  }

  health(): StoreHealth {
    const sides = this.all.map(healthOf);
    const ok = sides.every(({ state }) => state === 'whole');
    return {
      state: this.failed === undefined ? (ok ? 'ok' : 'degraded') : 'read-only',
      sides,
      damage: [...this.#unhealed],
      ...(this.lastScrub ? { lastScrub: this.lastScrub } : {}),
    };
  }
}

function healthOf({ place, state, reason, text, since, filled }: Side): SideHealth {
  return {
    directory: place.directory,
    state,
    ...(reason === undefined ? {} : { reason, text, since }),
    ...(filled ? { filled } : {}),
  };
}

const says: Record<StoreEvent['kind'], string> = {
  degraded: 'mirror degraded',
  filling: 'mirror is filled',
  whole: 'mirror is whole',
  failed: 'store can only be read',
  damage: 'damage found',
  scrubbing: 'scrubbing',
  scrubbed: 'scrubbed',
};

function levelOf(event: StoreEvent): 'debug' | 'info' | 'warn' | 'error' {
  switch (event.kind) {
    case 'degraded':
    case 'failed':
      return 'error';
    case 'damage':
      return event.healed ? 'warn' : 'error';
    case 'whole':
      return 'warn';
    case 'filling':
      return event.done === 0 ? 'warn' : 'debug';
    case 'scrubbed':
      return event.damage.length > 0 ? 'warn' : 'info';
    default:
      return 'debug';
  }
}

export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** What the system's error means for a side. */
export function reasonOf(error: unknown): Reason {
  const { code = codeIn(textOf(error)) } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'full';
  return code === 'ENOENT' || code === 'ESTALE' ? 'vanished' : 'failed';
}

/** An error that comes from a thread has only its text. */
const codeIn = (text: string): string | undefined => /^(E[A-Z]+)\b/.exec(text)?.[1];
