/**
 * Brings a side up to date while the other serves. From a place in the journal on it gets what is written; what lies before
 * is copied behind, checksums are verified, and then both know that they are alike.
 */
import { MailError, isMailError } from '@mail-server-kit/core';
import type { LinkOptions } from '../engine.ts';
import type { Journal } from '../journal.ts';
import type { Link } from '../link.ts';
import { seedOf, segmentOf } from '../layout.js';
import { CopyError } from './compare.js';
import type { MirrorLink } from './mirror-link.ts';
import type { MirroredFile } from './mirrored-file.ts';
import { TakenBackError, type Runner } from './runner.ts';
import { tellFinding } from './settling.ts';
import { holdsNothing } from './opening.ts';
import { readPast, relationOf, together, writePast, type Past } from './side-file.ts';
import { reasonOf, textOf, type Side, type Sides } from './sides.ts';

export interface FillingOptions {
  readonly sides: Sides;
  readonly link: MirrorLink;
  readonly about: LinkOptions;
  readonly journal: Journal;
  readonly runner: Runner;
  readonly files: readonly { readonly folder: string; readonly file: MirroredFile }[];
  /** Gives the side its keys. @throws if they cannot be written */
  readonly addKeys: (side: Side) => void;
  /** Gives the side its index. */
  readonly addIndex: (side: Side) => Promise<void>;
  /** Resolves when a link has got further. */
  readonly progress: () => Promise<void>;
}

export class Filling {
  readonly #options: FillingOptions;
  readonly #side: Side;
  readonly #source: Side;

  constructor(side: Side, options: FillingOptions) {
    this.#options = options;
    this.#side = side;
    const [source] = options.sides.whole;
    if (!source) throw new Error('no side is whole');
    this.#source = source;
  }

  /** Resolves when the side is whole, or out, and then `sides` knows why. */
  async run(): Promise<void> {
    const side = this.#side;
    try {
      if (!this.#begin()) return;
      await this.#join();
      await this.#copyAll();
      await this.#options.addIndex(side);
      await this.#copyAll();
      this.#end();
    } catch (error) {
      if (error instanceof TakenBackError) return;
      const cause = error instanceof CopyError ? error.cause : error;
      this.#options.link.drop(side, reasonOf(cause), cause);
      this.#options.sides.keepOut(side, reasonOf(cause), textOf(cause));
    }
  }

  /** False: it must not be filled. */
  #begin(): boolean {
    const { sides } = this.#options;
    const side = this.#side;
    const { directory, journal } = side.place;
    side.place.take();
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      sides.keepOut(side, 'refused', refusal);
      return false;
    }
    const past: Past = {
      ...(this.#source.past as Past),
      ...{ filling: true, alone: false, since: sides.world.clock.now(), generations: [] },
      reason: `filled from ${this.#source.place.directory}`,
    };
    side.past = writePast(journal, { ...past, sequence: pastOf(side)?.sequence ?? 0 });
    side.state = 'filling';
    side.since ||= sides.world.clock.now();
    side.filled = { done: 0, total: 0 };
    sides.tell({ kind: 'filling', directory, done: 0, total: 0 });
    this.#clear();
    return true;
  }

  /** Why the octets there must not be written over. */
  #refusal(): string | undefined {
    const { journal } = this.#side.place;
    const names = `${this.#source.place.directory} and ${this.#side.place.directory}`;
    const past = pastOf(this.#side);
    const ours = this.#source.past as Past;
    const empty = holdsNothing(journal);
    if (!past) return empty ? undefined : `${names} are not known to be two sides of a mirror`;
    if (Buffer.compare(past.store, ours.store) !== 0) return `${names} hold different stores`;
    if (past.filling) return undefined;
    const relation = relationOf(past, ours);
    return relation === 'first is behind' || relation === 'same'
      ? undefined
      : `${names} were both used alone and now differ`;
  }

  /** Removes what would be in the way: what was half copied, and segments that the source does not have or still writes. */
  #clear(): void {
    const { journal } = this.#side.place;
    const there = new Set(this.#source.place.journal.list());
    const current = this.#options.journal.end.segment;
    for (const name of journal.list()) {
      const number = segmentOf(name);
      const half = /\.journal\.(new|copy)$/.test(name);
      const stale = number !== undefined && (number >= current || !there.has(name));
      if (half || stale) journal.remove(name);
    }
    journal.syncDirectory();
  }

  /** From here on the side gets every record. */
  async #join(): Promise<void> {
    const { link, about, journal } = this.#options;
    const side = this.#side;
    let ready = journal.end.segment - 1;
    while (ready < link.ready) await this.#job('blank', ++ready);
    const own = side.place.link({ ...about, ready });
    try {
      await own.started;
      await this.#catchUp(own);
    } catch (error) {
      own.close().catch(() => {});
      throw error;
    }
    this.#joinedAt = journal.end;
    link.join(side, own);
    side.joined = true;
    await link.settled();
    // If it was lost meanwhile, there is nothing to go on with.
    this.#check();
  }

  /** Segments are made as far as elsewhere: it must not hold up the others where one is needed. */
  async #catchUp(own: Link): Promise<void> {
    const { link, progress } = this.#options;
    while (own.ready < link.ready) {
      if (own.failed !== undefined) throw own.failed;
      if (own.full) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
      const further = new Promise<void>((resolve) => (own.onProgress = resolve));
      own.want(link.ready);
      await Promise.race([further, progress()]);
    }
  }

  #joinedAt: { readonly segment: number; readonly offset: number } = { segment: 0, offset: 0 };
  /** By name: how often it had changed when it was copied. */
  readonly #copied = new Map<string, number>();

  #check(): void {
    if (this.#side.state !== 'filling') throw new TakenBackError();
  }

  /** Again and again until nothing has changed meanwhile. */
  async #copyAll(): Promise<void> {
    const { sides } = this.#options;
    const { place } = this.#side;
    for (;;) {
      const names = this.#source.place.journal.list().filter((name) => {
        const number = segmentOf(name);
        return number !== undefined && number <= this.#joinedAt.segment;
      });
      const left = names.filter((name) => this.#copied.get(name) !== sides.changesOf(name));
      if (left.length === 0) break;
      const total = names.length * this.#options.about.octets;
      for (const [i, name] of left.entries()) {
        await this.#copy(name);
        const done = total - (left.length - 1 - i) * this.#options.about.octets;
        this.#side.filled = { done, total };
        sides.tell({ kind: 'filling', directory: place.directory, done, total });
      }
    }
    const there = new Set(this.#source.place.journal.list());
    for (const name of place.journal.list()) {
      if (segmentOf(name) !== undefined && !there.has(name)) place.journal.remove(name);
    }
  }

  async #copy(name: string): Promise<void> {
    const { sides } = this.#options;
    const segment = segmentOf(name) as number;
    const before = sides.changesOf(name);
    const last = segment === this.#joinedAt.segment;
    try {
      const { findings } = await (last
        ? this.#job('settle', segment, { lead: true, end: this.#joinedAt.offset })
        : this.#job('fill', segment, { lead: true, sealed: true }));
      this.#copied.set(name, before);
      // What was not there is no damage; what the source lacks is.
      for (const finding of findings) {
        if (finding.copy !== 1) tellFinding(sides, [this.#source], finding);
      }
    } catch (error) {
      this.#check();
      if (error instanceof TakenBackError && sides.changesOf(name) !== before) return;
      // Compaction took it away: there is nothing to copy any more.
      if (!this.#source.place.journal.list().includes(name)) return;
      throw error;
    }
  }

  #job(
    kind: 'blank' | 'fill' | 'settle',
    segment: number,
    more: { readonly lead?: boolean; readonly end?: number; readonly sealed?: boolean } = {},
  ) {
    const { about, runner } = this.#options;
    const places = [this.#source.place, this.#side.place];
    return runner.run({
      kind,
      options: { segment, seed: seedOf(about.store), ...more },
      folders: places.map(({ folder }) => folder),
      disks: places.map(({ journal }) => journal),
    });
  }

  /** In one turn, so that nothing is written in between. */
  #end(): void {
    const { sides, files } = this.#options;
    const side = this.#side;
    this.#check();
    this.#options.addKeys(side);
    for (const { folder, file } of files) file.copyTo(side.place.other(folder));
    const source = this.#source;
    const past = together(source.past as Past);
    // In this order: a crash in between leaves a side that is whole, and one that is filled once more.
    source.past = writePast(source.place.journal, past);
    const sequence = side.past?.sequence ?? 0;
    try {
      sides.isWhole(side, writePast(side.place.journal, { ...source.past, sequence }));
    } catch (error) {
      sides.goAlone(source, textOf(error));
      throw error;
    }
  }
}

/** Undefined also if it cannot be read: a side that is filled need not know. */
function pastOf({ place }: Side): Past | undefined {
  try {
    return readPast(place.journal);
  } catch (error) {
    if (isMailError(error, 'CANNOT')) throw error;
    if (!(error instanceof MailError)) throw error;
    return undefined;
  }
}
