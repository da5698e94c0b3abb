/**
 * Recently used values, up to so many octets, in two generations: what is not asked for while the young one fills up goes
 * with the old one. Cheaper than an order of all values, which every hit would change.
 */
interface Entry<V> {
  readonly value: V;
  readonly octets: number;
}

export class Cache<K, V> {
  #young = new Map<K, Entry<V>>();
  #old = new Map<K, Entry<V>>();
  /** Of the young ones. */
  #octets = 0;

  constructor(readonly maxOctets: number) {}

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young) return young.value;
    const old = this.#old.get(key);
    if (!old) return undefined;
    this.#old.delete(key);
    this.set(key, old.value, old.octets);
    return old.value;
  }

  set(key: K, value: V, octets: number): void {
    // One large value must not drive out everything else.
    if (octets > this.maxOctets / 8) return;
    this.#octets += octets - (this.#young.get(key)?.octets ?? 0);
    this.#young.set(key, { value, octets });
    if (this.#octets <= this.maxOctets / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#octets = 0;
  }
}
