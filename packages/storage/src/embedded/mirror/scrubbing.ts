/** Compares the checksums of everything on all sides and heals what is damaged from a side that has it whole. */
import type { Journal } from '../journal.ts';
import { segmentName, segmentOf } from '../layout.js';
import { CopyError } from './compare.js';
import type { Damage, ScrubReport } from './events.ts';
import type { MirrorLink } from './mirror-link.ts';
import type { MirroredFile } from './mirrored-file.ts';
import { TakenBackError, type Runner } from './runner.ts';
import { tellFinding } from './settling.ts';
import { reasonOf, type Side, type Sides } from './sides.ts';

export interface ScrubbingOptions {
  readonly sides: Sides;
  readonly link: MirrorLink;
  readonly journal: Journal;
  readonly runner: Runner;
  readonly seed: number;
  readonly files: readonly { readonly folder: string; readonly file: MirroredFile }[];
  /** Looks at every value of the index; returns what was odd. */
  readonly scrubIndex: () => Promise<readonly Damage[]>;
}

export class Scrubbing {
  readonly #options: ScrubbingOptions;
  #running: Promise<ScrubReport> | undefined;
  #octets = 0;

  constructor(options: ScrubbingOptions) {
    this.#options = options;
  }

  /** One at a time: who asks while one is under way gets its report. */
  scrub(): Promise<ScrubReport> {
    return (this.#running ??= this.#scrub().finally(() => (this.#running = undefined)));
  }

  async #scrub(): Promise<ScrubReport> {
    const { sides, journal, scrubIndex } = this.#options;
    const began = sides.world.clock.now();
    const damage: Damage[] = [];
    const segments = this.#segments().filter((segment) => segment <= journal.durableEnd.segment);
    const total = segments.length * sides.whole.length;
    this.#octets = 0;
    for (const [i, segment] of segments.entries()) {
      damage.push(...(await this.segment(segment)));
      sides.tell({ kind: 'scrubbing', done: (i + 1) * sides.whole.length, total });
    }
    damage.push(...this.#smallFiles());
    for (const odd of await scrubIndex()) damage.push(sides.damage(odd));
    const report = { began, ended: sides.world.clock.now(), octets: this.#octets, damage };
    sides.lastScrub = report;
    sides.tell({ kind: 'scrubbed', ...report });
    return report;
  }

  #segments(): number[] {
    const numbers = new Set<number>();
    for (const { place } of this.#options.sides.whole) {
      for (const name of place.journal.list()) {
        const number = segmentOf(name);
        if (number !== undefined) numbers.add(number);
      }
    }
    return [...numbers].sort((a, b) => a - b);
  }

  /** Compares one segment and heals it. @throws TakenBackError if the store is being closed */
  async segment(segment: number): Promise<readonly Damage[]> {
    const { sides, journal } = this.#options;
    const name = segmentName(segment);
    for (;;) {
      const among = sides.whole;
      const { segment: last, offset } = journal.durableEnd;
      if (segment > last) return [];
      const changes = sides.changesOf(name);
      try {
        await this.#makeWhere(segment, among);
        const { findings, conflict } = await this.#settle(segment, among, {
          ...(segment === last ? { end: offset } : { sealed: true }),
        });
        const damage = findings.map((finding) => tellFinding(sides, among, finding));
        if (conflict !== undefined) {
          damage.push(sides.damage({ segment, offset: conflict, healed: false }));
        }
        return damage;
      } catch (error) {
        if (error instanceof CopyError) this.#lose(among[error.copy] as Side, error.cause);
        // Compaction has made it anew: once more.
        else if (error instanceof TakenBackError && sides.changesOf(name) !== changes) continue;
        else throw error;
      }
    }
  }

  #lose(side: Side, error: unknown): void {
    const { sides, link } = this.#options;
    if (sides.whole.length > 1) link.drop(side, reasonOf(error), error);
    else throw error;
  }

  /** A file that a side does not have at all is copied. */
  async #makeWhere(segment: number, among: readonly Side[]): Promise<void> {
    const name = segmentName(segment);
    const has = among.filter(({ place }) => place.journal.list().includes(name));
    const [from] = has;
    if (!from) return;
    for (const side of among) {
      if (has.includes(side)) continue;
      const places = [from.place, side.place];
      await this.#options.runner.run({
        kind: 'fill',
        options: { segment, seed: this.#options.seed, lead: true },
        folders: places.map(({ folder }) => folder),
        disks: places.map(({ journal }) => journal),
      });
      const { directory } = side.place;
      this.#options.sides.damage({ directory, segment, offset: 0, healed: true });
    }
  }

  #settle(
    segment: number,
    among: readonly Side[],
    more: { readonly end?: number; readonly sealed?: boolean },
  ) {
    return this.#options.runner.run(
      {
        kind: 'settle',
        options: { segment, seed: this.#options.seed, ...more },
        folders: among.map(({ place }) => place.folder),
        disks: among.map(({ place }) => place.journal),
      },
      (octets) => (this.#octets += octets * among.length),
    );
  }

  #smallFiles(): readonly Damage[] {
    const { sides, files } = this.#options;
    return files.flatMap(({ folder, file }) =>
      sides.whole.flatMap(({ place }) => {
        if (file.isCurrent(place.other(folder))) return [];
        const { directory } = place;
        try {
          file.copyTo(place.other(folder));
          return [sides.damage({ directory, healed: true })];
        } catch {
          return [sides.damage({ directory, healed: false })];
        }
      }),
    );
  }
}
