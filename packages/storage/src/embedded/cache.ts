/**
 * What is in memory because it was used lately and can be had again: columns of blocks, facts of messages, small records. All
 * of it shares one budget of octets. The oldest goes first, but what was used since its turn came last gets another round:
 * nearly as good as an exact order of use, which every look would have to change.
 */
export interface Droppable {
  /** Whether it was used since this was asked last. */
  takeTouched(): boolean;
  drop(): void;
}

export class CacheBudget {
  readonly #items = new Map<Droppable, number>();
  #octets = 0;

  constructor(readonly maxOctets: number) {}

  /** It stays at least until something else is added. */
  add(item: Droppable, octets: number): void {
    this.remove(item);
    this.#items.set(item, octets);
    this.#octets += octets;
    while (this.#octets > this.maxOctets && this.#items.size > 1) {
      const [oldest, its] = this.#items.entries().next().value as [Droppable, number];
      this.#items.delete(oldest);
      if (oldest === item || oldest.takeTouched()) this.#items.set(oldest, its);
      else {
        this.#octets -= its;
        oldest.drop();
      }
    }
  }

  /** Without dropping it. */
  remove(item: Droppable): void {
    this.#octets -= this.#items.get(item) ?? 0;
    this.#items.delete(item);
  }

  get octets(): number {
    return this.#octets;
  }
}

/** Values by key, within a budget. */
export class Cache<K, V> {
  readonly #known = new Map<K, Entry<V>>();
  readonly #budget: CacheBudget;

  constructor(budget: CacheBudget) {
    this.#budget = budget;
  }

  get(key: K): V | undefined {
    const entry = this.#known.get(key);
    if (!entry) return undefined;
    entry.touched = true;
    return entry.value;
  }

  set(key: K, value: V, octets: number): void {
    // One large value must not drive out everything else.
    if (octets > this.#budget.maxOctets / 16) return;
    const before = this.#known.get(key);
    if (before) this.#budget.remove(before);
    const entry = new Entry(value, () => this.#known.delete(key));
    this.#known.set(key, entry);
    this.#budget.add(entry, octets + ENTRY_OCTETS);
  }

  clear(): void {
    for (const entry of this.#known.values()) this.#budget.remove(entry);
    this.#known.clear();
  }
}

/** About what an entry costs beside its value. */
const ENTRY_OCTETS = 200;

class Entry<V> implements Droppable {
  touched = false;

  constructor(
    readonly value: V,
    readonly drop: () => void,
  ) {}

  takeTouched(): boolean {
    const { touched } = this;
    this.touched = false;
    return touched;
  }
}
