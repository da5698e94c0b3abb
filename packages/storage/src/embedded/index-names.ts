/**
 * Under which keys values lie in Level. Keys of records, ids of commits and names of spaces tell something of mail: in an
 * encrypted store such a value has a random key, and what it is stands in the value, sealed with it.
 */
import type { Vault } from './vault/vault.ts';

/** First letters of the kinds whose names tell something. Ids of accounts, mailboxes and blocks do not. */
const telling = new Set(['r', 'v', 's', 'i']);

export class IndexNames {
  /** Undefined: names are what they are. */
  readonly #vault: Vault | undefined;
  readonly #stored = new Map<string, string>();

  constructor(vault: Vault | undefined) {
    this.#vault = vault;
  }

  /** Whether a value begins with the text of its name. */
  hides(name: string): boolean {
    return this.#vault !== undefined && telling.has(name.charAt(0));
  }

  /** The key of a value, made if it has none. */
  keyOf(name: string): string {
    if (!this.hides(name)) return name;
    let key = this.#stored.get(name);
    if (key === undefined) {
      key = `${name.charAt(0)}/${(this.#vault as Vault).randomName()}`;
      this.#stored.set(name, key);
    }
    return key;
  }

  learn(name: string, key: string): void {
    this.#stored.set(name, key);
  }

  forget(name: string): void {
    this.#stored.delete(name);
  }
}
