/** The most recently used values, up to so many octets. */
export class Cache<K, V> {
  readonly #entries = new Map<K, { readonly value: V; readonly octets: number }>();
  #octets = 0;

  constructor(readonly maxOctets: number) {}

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: K, value: V, octets: number): void {
    // One large value must not drive out everything else.
    if (octets > this.maxOctets / 8) return;
    this.#octets += octets - (this.#entries.get(key)?.octets ?? 0);
    this.#entries.delete(key);
    this.#entries.set(key, { value, octets });
    for (const [oldest, entry] of this.#entries) {
      if (this.#octets <= this.maxOctets) break;
      this.#entries.delete(oldest);
      this.#octets -= entry.octets;
    }
  }
}
