/** Those who follow the stream of changes: each hears of every commit once and in its order, across all restarts. */
import { isMailError, type AccountId, type Change, type MailStore } from '@mail-server-kit/core';
import type { SeededRandom } from '@mail-server-kit/core/testing';
import { Difference, lastOwners, ownerOf, type Ledger, type Told } from './ledger.ts';
import { changeLine } from './model.ts';
import { spaces } from './view.ts';

/** Changes by the commit that they belong to. */
export function groupsOf(changes: readonly Change[]): Told[] {
  const groups: { cursor: Change['cursor']; at: number; changes: Set<string> }[] = [];
  for (const change of changes) {
    let group = groups.at(-1);
    if (group?.cursor !== change.cursor) {
      groups.push((group = { cursor: change.cursor, at: change.at, changes: new Set() }));
    }
    const line = changeLine(change);
    if (group.changes.has(line)) throw new Difference(`told twice at ${change.cursor}: ${line}`);
    group.changes.add(line);
  }
  return groups;
}

type Scope = { readonly account?: AccountId; readonly space?: string };

interface Follower {
  readonly scope: Scope;
  /** Commits of the history that it has heard of. */
  position: number;
  heard: Change[];
  abort: AbortController;
  ended: Promise<void>;
}

export class Followers {
  readonly #followers: Follower[] = [];

  constructor(
    readonly random: SeededRandom,
    readonly ledger: Ledger,
    readonly fail: (error: unknown) => void,
    readonly troubled: () => boolean,
    /** Changes of that time may be forgotten. */
    readonly isOld: (at: number) => boolean,
  ) {
    for (const scope of [{}, {}, { account: 'anna' as AccountId }, { space: spaces[0] }]) {
      const abort = new AbortController();
      this.#followers.push({ scope, position: 0, heard: [], abort, ended: Promise.resolve() });
    }
  }

  begin(store: MailStore): void {
    for (const follower of this.#followers) this.#begin(follower, store);
  }

  #begin(follower: Follower, store: MailStore): void {
    const abort = new AbortController();
    const since = this.ledger.history[follower.position - 1]?.cursor ?? 'start';
    follower.abort = abort;
    follower.heard = [];
    const { heard } = follower;
    follower.ended = (async () => {
      try {
        for await (const change of store.changes(since, follower.scope, abort.signal)) {
          heard.push(change);
        }
      } catch (error) {
        if (abort.signal.aborted || isMailError(error, 'UNAVAILABLE')) return;
        const next = this.ledger.history[follower.position + this.#whole(follower)];
        if (isMailError(error, 'FORGOTTEN') && next && this.isOld(next.at)) {
          // It looks at everything anew, and goes on from there.
          follower.position = this.ledger.history.length;
          this.#begin(follower, store);
        } else if (!this.troubled()) this.fail(error);
      }
    })();
  }

  /** One of them stops and begins again, some at the very start. */
  change(store: MailStore): void {
    const follower = this.random.pick(this.#followers);
    this.#stop(follower);
    if (this.random.chance(0.2)) follower.position = 0;
    this.#begin(follower, store);
  }

  #stop(follower: Follower): void {
    follower.abort.abort();
    follower.position += this.#whole(follower);
    follower.heard = [];
  }

  end(): void {
    for (const follower of this.#followers) this.#stop(follower);
  }

  /** Of what was lost they have heard too soon, as the store allows when it does not sync for each commit. */
  lose(): void {
    const { length } = this.ledger.history;
    for (const follower of this.#followers) {
      follower.position = Math.min(follower.position, length);
    }
  }

  /** How many commits of the history from its position on it has heard of wholly. */
  #whole({ scope, position, heard }: Follower): number {
    const { history, faded } = this.ledger;
    const groups = groupsOf(heard).flatMap((group): Told[] => {
      const told = faded.size > 0 && history.find(({ cursor }) => cursor === group.cursor);
      if (!told) return [group];
      const changes = lastOwners(group.changes, told.changes, faded);
      return changes.size > 0 ? [{ ...group, changes }] : [];
    });
    // What is of an account that is gone may have become unreadable.
    const must = (lines: ReadonlySet<string>) =>
      [...lines].filter((line) => !faded.has(ownerOf(line)));
    const isPassed = (told: Told | undefined, cursor: string) => {
      const lines = told && inScope(told, scope);
      return lines && (lines.size === 0 || (told.cursor !== cursor && must(lines).length === 0));
    };
    let index = position;
    for (const [i, group] of groups.entries()) {
      while (isPassed(history[index], group.cursor)) index++;
      const expected = history[index];
      if (!expected)
        throw new Difference(`a follower heard of ${group.cursor}, never acknowledged`);
      const wanted = inScope(expected, scope);
      const isPart = [...group.changes].every((line) => wanted.has(line));
      const isWhole = isPart && must(wanted).every((line) => group.changes.has(line));
      if (group.cursor !== expected.cursor || !isPart || (!isWhole && i < groups.length - 1)) {
        throw new Difference(
          `a follower heard of ${group.cursor} ${[...group.changes].join()}, expected ${expected.cursor} ${[...wanted].join()}`,
        );
      }
      if (!isWhole) break;
      index++;
    }
    return index - position;
  }

  /** They have heard of everything, once there was time for it. */
  async isUpToDate(turn: () => Promise<void>): Promise<void> {
    const { history, faded } = this.ledger;
    const must = (lines: ReadonlySet<string>) =>
      [...lines].some((line) => !faded.has(ownerOf(line)));
    for (const follower of this.#followers) {
      const rest = () =>
        history
          .slice(follower.position + this.#whole(follower))
          .filter((told) => must(inScope(told, follower.scope)));
      for (let turns = 0; rest().length > 0; turns++) {
        if (turns > 200) {
          const { cursor, changes } = rest()[0] as Told;
          throw new Difference(`a follower never heard of ${cursor} ${[...changes].join()}`);
        }
        await turn();
      }
    }
  }
}

function inScope({ changes }: Told, { account, space }: Scope): Set<string> {
  if (account === undefined && space === undefined) return new Set(changes);
  const fits = (line: string) => {
    const [, , place = '', owner] = line.split(' ');
    return account === undefined ? place.startsWith(`${space}/`) : owner === account;
  };
  return new Set([...changes].filter(fits));
}
