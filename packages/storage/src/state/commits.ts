/** Commits one after the other: planned on `head`, taken by the medium, told of when they are durable. */
import {
  MailError,
  type Clock,
  type Commit,
  type Content,
  type StageId,
  type Write,
} from '@mail-server-kit/core';
import { goneWith, locateKept, repeatOwner, type Rules } from './delta.ts';
import { changesOf, cursorOf, type Feed } from './feed.ts';
import type { Medium } from './medium.ts';
import { plan } from './plan.ts';
import type { Repeats } from './repeats.ts';
import { Warming } from './warm.ts';
import type { World } from './world.ts';

export interface CommitsOptions {
  readonly world: World;
  readonly repeats: Repeats;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly rules: Rules;
}

interface Waiting {
  readonly writes: readonly Write[];
  readonly id: string | undefined;
  readonly resolve: (commit: Commit) => void;
  readonly reject: (error: unknown) => void;
}

export class Commits {
  readonly #medium: Medium;
  readonly #options: CommitsOptions;
  readonly #queue: Waiting[] = [];
  readonly #underWay = new Map<string, Promise<Commit>>();
  /** Commits that the medium has taken, and those of them that are durable or lost. */
  #taken = 0;
  #done = 0;
  /** What waits for all commits before it. */
  readonly #after: { readonly taken: number; readonly callback: () => void }[] = [];
  /** Commits that are not in the queue yet. */
  readonly #warming: Warming;
  #closed: (() => Error) | undefined;
  /** A commit of unknown outcome: what comes after it would be planned on what may not be there. */
  #lost: MailError | undefined;

  constructor(medium: Medium, options: CommitsOptions) {
    this.#medium = medium;
    this.#options = options;
    this.#warming = new Warming(options.world);
  }

  commit(writes: readonly Write[], { id }: { id?: string } = {}): Promise<Commit> {
    const first = id === undefined ? undefined : this.#known(id);
    if (first) {
      return first.then((commit) => {
        this.#useUp(writes);
        return commit;
      });
    }
    const commit = new Promise<Commit>((resolve, reject) => {
      const waiting: Waiting = { writes, id, resolve, reject };
      const isLater = this.#warming.before(writes, () => {
        if (this.#closed) reject(this.#closed());
        else this.#queue.push(waiting);
        this.advance();
      });
      if (!isLater) this.#queue.push(waiting);
    });
    if (id !== undefined) {
      this.#underWay.set(id, commit);
      const forget = () => this.#underWay.delete(id);
      commit.then(forget, forget);
    }
    this.advance();
    return commit;
  }

  #known(id: string): Promise<Commit> | undefined {
    const repeat = this.#options.repeats.get(id, this.#options.clock.now());
    if (!repeat) return this.#underWay.get(id);
    return Promise.resolve({ cursor: cursorOf(repeat.lsn), results: repeat.results });
  }

  /** Takes up commits that wait, as far as there is room. */
  advance(): void {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      try {
        if (!this.#take(next)) return;
      } catch (error) {
        next.reject(error);
      }
      this.#queue.shift();
    }
  }

  #take({ writes, id, resolve, reject }: Waiting): boolean {
    if (this.#lost) throw readOnly(this.#lost);
    const { world, repeats, feed, clock, rules } = this.#options;
    const at = clock.now();
    const { draft, deltas, results } = plan(world, writes, this.#medium, rules, at);
    if (deltas.length === 0 && id === undefined) {
      this.#useUp(writes);
      // The answer rests on what others have written: it may be told when that is durable.
      this.#afterThose(() => {
        if (this.#lost) reject(readOnly(this.#lost));
        else resolve({ cursor: cursorOf(feed.last), results });
      });
      return true;
    }
    let publish = () => {};
    let lsn = 0;
    const taken = this.#medium.persist(
      { deltas, results, at, ...(id === undefined ? {} : { id }) },
      (error) => {
        this.#done++;
        if (error) {
          this.#lost = error;
          reject(error);
        } else {
          publish();
          repeats.forget(goneWith(deltas));
          if (id !== undefined) {
            repeats.add({ id, at, lsn, results, account: repeatOwner(deltas) }, at);
          }
          this.#useUp(writes);
          feed.tell({ lsn, changes: changesOf(deltas, lsn, at) });
          resolve({ cursor: cursorOf(lsn), results });
        }
        while (this.#after[0] && this.#after[0].taken <= this.#done)
          this.#after.shift()?.callback();
      },
    );
    if (!taken) return false;
    this.#taken++;
    ({ lsn } = taken);
    if (!this.#medium.holds) locateKept(draft, taken.deltas);
    publish = draft.publish();
    return true;
  }

  #useUp(writes: readonly Write[]): void {
    for (const stage of stagesOf(writes)) this.#medium.discard(stage);
  }

  /** When the commits that the medium has taken so far are durable or lost; others may have come meanwhile. */
  #afterThose(callback: () => void): void {
    if (this.#done === this.#taken) callback();
    else this.#after.push({ taken: this.#taken, callback });
  }

  /** After what is under way is done: what has no room yet gets this error. */
  async close(error: () => Error): Promise<void> {
    this.#closed = error;
    await new Promise<void>((resolve) => this.#afterThose(resolve));
    for (const { reject } of this.#queue.splice(0)) reject(error());
  }
}

function* stagesOf(writes: readonly Write[]): Generator<StageId> {
  for (const write of writes) {
    const content: Content = ('content' in write && write.content) || [];
    for (const slice of content) if ('stage' in slice) yield slice.stage;
  }
}

export const readOnly = (cause: unknown): MailError =>
  new MailError('UNAVAILABLE', 'The mail store can only be read until it is opened again', {
    cause,
  });
