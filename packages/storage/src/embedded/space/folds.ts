/** Which folds there are, and which changes are dead because of them. */
import type { AccountId, MailboxId } from '@mail-server-kit/core';
import type { Delta } from '../../state/delta.ts';
import { accountItem, itemsOf, type Item, type ItemKey } from './items.ts';
import type { ListedFold } from './list.ts';

/** A part of a fold, and where it lies. */
export interface FoldPart extends ListedFold {
  readonly segment: number;
}

/** All parts of one. */
export interface Fold {
  readonly item: Item;
  readonly asOf: number;
  readonly parts: readonly FoldPart[];
}

export class Folds {
  /** By item and LSN: parts that were found. */
  readonly #found = new Map<ItemKey, Map<number, FoldPart[]>>();
  readonly #newest = new Map<ItemKey, Fold>();
  readonly #listed = new Map<Fold, ReadonlySet<MailboxId>>();

  /** `read`: the changes of a part. */
  constructor(readonly read: (part: FoldPart) => readonly Delta[]) {}

  add(part: FoldPart): void {
    const { item, asOf, parts } = part;
    const newest = this.#newest.get(item.key);
    if (newest && newest.asOf > asOf) return;
    let byTime = this.#found.get(item.key);
    if (!byTime) this.#found.set(item.key, (byTime = new Map<number, FoldPart[]>()));
    const found = byTime.get(asOf) ?? [];
    byTime.set(asOf, found);
    found[part.part] = part;
    // A hole in the array is a part that is missing.
    if (Object.keys(found).length < parts) return;
    this.#newest.set(item.key, { item, asOf, parts: found });
    if (newest) this.#listed.delete(newest);
    for (const each of byTime.keys()) if (each <= asOf) byTime.delete(each);
    if (byTime.size === 0) this.#found.delete(item.key);
  }

  all(): IterableIterator<Fold> {
    return this.#newest.values();
  }

  get(key: ItemKey): Fold | undefined {
    return this.#newest.get(key);
  }

  /** Whether this part is one that a rebuild would read. */
  isCurrent({ item, asOf }: ListedFold): boolean {
    const fold = this.#newest.get(item.key);
    return fold?.asOf === asOf && !this.#isGone(item, asOf);
  }

  /** Whether changes of `item` with this LSN are of no use any more. */
  isDead(item: Item, lsn: number): boolean {
    const fold = this.#newest.get(item.key);
    return (fold !== undefined && lsn <= fold.asOf) || this.#isGone(item, lsn);
  }

  /** A mailbox that a later fold of its account does not name is gone. */
  #isGone({ key, account }: Item, lsn: number): boolean {
    if (account === '') return false;
    const fold = this.#newest.get(accountItem(account).key);
    return fold !== undefined && lsn <= fold.asOf && !this.#mailboxesOf(fold).has(key.slice(1));
  }

  #mailboxesOf(fold: Fold): ReadonlySet<string> {
    let listed = this.#listed.get(fold);
    if (!listed) {
      const ids = new Set<MailboxId>();
      for (const part of fold.parts) {
        for (const delta of this.read(part)) {
          if (delta.kind === 'accountState') for (const id of delta.mailboxes) ids.add(id);
        }
      }
      this.#listed.set(fold, (listed = ids));
    }
    return listed;
  }

  /** Changes of a commit that are not dead. */
  alive(deltas: readonly Delta[], lsn: number): Delta[] {
    return deltas.filter((delta) => itemsOf(delta).some((item) => !this.isDead(item, lsn)));
  }

  /** The last segment with a part of a fold; 0: there is none. */
  lastSegment(): number {
    let last = 0;
    for (const { parts } of this.#newest.values()) {
      for (const { segment } of parts) last = Math.max(last, segment);
    }
    return last;
  }

  /** Accounts whose mailboxes are known by folds alone. */
  *accounts(): Generator<AccountId> {
    for (const { item } of this.#newest.values()) if (item.account !== '') yield item.account;
  }
}
