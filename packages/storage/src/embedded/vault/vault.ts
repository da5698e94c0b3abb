/**
 * The keys of a store: one for each account and one for the store itself, under a root key that the master key wraps. What
 * is sealed here is lost to everybody once the key of its account is destroyed, in old copies too.
 */
import { hkdfSync } from 'node:crypto';
import {
  MailError,
  isMailError,
  type AccountId,
  type Disk,
  type Log,
  type Random,
} from '@mail-server-kit/core';
import type { Packer } from '../pack.ts';
import { KeyFile, type KeyFileContents, type SealedKey } from './key-file.ts';
import type { MasterKey } from './master-key.ts';
import { FRONT_OCTETS, KEY_OCTETS, Sealer, Session, sealed, type SealedKind } from './sealer.ts';

/** '' is the store itself. */
export type KeyOwner = AccountId | '';

export interface VaultOptions {
  readonly masterKey: MasterKey;
  /** Each keeps all keys: the directories `keys` of both sides of a mirror. */
  readonly disks: readonly Disk[];
  readonly random: Random;
  readonly log: Log;
  /** A disk could not be written, and another one could: nothing may be sealed before its side of the mirror is left out. */
  readonly lost?: (disk: Disk, error: unknown) => void;
  /** Nothing is written. Default false. */
  readonly readOnly?: boolean;
}

interface Held {
  readonly key: Uint8Array;
  readonly octets: Uint8Array;
  sealer: Sealer | undefined;
}

export class Vault {
  readonly store: Uint8Array;
  readonly #options: VaultOptions;
  readonly #session: Session;
  readonly #keys = new Map<KeyOwner, Held>();
  #files: readonly KeyFile[];
  #contents: Omit<KeyFileContents, 'keys'>;
  #root: Sealer;
  /** Accounts whose sealed values were met without a key. They have to have been destroyed. */
  readonly missing = new Set<KeyOwner>();

  private constructor(
    options: VaultOptions,
    files: readonly KeyFile[],
    contents: Omit<KeyFileContents, 'keys'>,
    root: Uint8Array,
  ) {
    this.#options = options;
    this.#session = new Session(options.random);
    this.#files = files;
    this.#contents = contents;
    this.store = contents.store;
    this.#root = new Sealer(root, this.#session);
  }

  /**
   * `store`: whose keys they have to be; undefined: there is no journal yet, and keys are made if there are none.
   * @throws MailError NOPERM if the master key is another one, CORRUPTION if the keys are damaged, CANNOT if they are of
   *   another store, missing, or written by a later version
   */
  static async open(store: Uint8Array | undefined, options: VaultOptions): Promise<Vault> {
    const { disks, readOnly = false, masterKey } = options;
    const files = disks.map((disk) => new KeyFile(disk));
    const found = loadAll(files, store === undefined, readOnly);
    if (!found) {
      if (store !== undefined) throw new MailError('CANNOT', NO_KEYS);
      return Vault.#create(options, files);
    }
    const { best, differ } = found;
    if (store && Buffer.compare(best.store, store) !== 0) {
      throw new MailError('CANNOT', 'The keys belong to another store');
    }
    const root = await unwrapped(masterKey, best);
    const vault = new Vault(options, files, best, root);
    for (const { account, octets } of best.keys) {
      const key = vault.#root.open(octets, sealed.key, account);
      vault.#keys.set(account, { key, octets, sealer: undefined });
    }
    // One directory is new, or was away: it gets what the other one has.
    if (differ && !readOnly) vault.#rewrite();
    return vault;
  }

  static async #create(options: VaultOptions, files: readonly KeyFile[]): Promise<Vault> {
    const { random, masterKey } = options;
    const key = Uint8Array.from(random.bytes(KEY_OCTETS));
    const root = await masterKey.wrap(key);
    const store = Uint8Array.from(random.bytes(16));
    const vault = new Vault(
      options,
      files,
      { store, generation: 0, master: masterKey.id, root },
      key,
    );
    const own = vault.#newKey('');
    vault.#keys.set('', own);
    vault.#rewrite();
    return vault;
  }

  has(account: KeyOwner): boolean {
    return this.#keys.has(account);
  }

  /** A key for an account that has none, on the disk when this returns. @throws MailError UNAVAILABLE */
  create(account: AccountId): void {
    if (this.#keys.has(account)) return;
    const held = this.#newKey(account);
    this.#each((file) => file.append({ account, octets: held.octets }));
    this.#keys.set(account, held);
  }

  /**
   * A side of a mirror has come back: it gets all keys, and what it had is overwritten.
   * @throws MailError UNAVAILABLE if it cannot be written
   */
  addDisk(disk: Disk): void {
    const file = new KeyFile(disk);
    try {
      file.load();
    } catch {
      // What is there is not needed.
    }
    this.#files = [...this.#files.filter((each) => each.disk !== disk), file];
    this.#rewrite();
    if (!this.#files.includes(file)) {
      throw new MailError('UNAVAILABLE', 'The keys of the store cannot be written');
    }
  }

  #newKey(account: KeyOwner): Held {
    const key = Uint8Array.from(this.#options.random.bytes(KEY_OCTETS));
    return { key, octets: sealKey(this.#root, account, key), sealer: undefined };
  }

  /**
   * Forgets the keys of `accounts`, here at once and on the disk when this returns. If a disk fails, the next opening goes
   * on with it.
   */
  destroy(accounts: readonly AccountId[]): void {
    let some = false;
    for (const account of accounts) {
      this.#keys.get(account)?.key.fill(0);
      some = this.#keys.delete(account) || some;
    }
    if (!some) return;
    try {
      this.#rewrite();
    } catch (error) {
      const event = 'old keys are still on the disk';
      this.#options.log({ level: 'error', service: 'storage', event, error });
    }
  }

  /**
   * From now on `next` opens the store. Only wrapped keys are written: a new root key, and the keys of the accounts under it.
   * @throws whatever `next` throws; MailError UNAVAILABLE. Nothing has changed then
   */
  async rotate(next: MasterKey): Promise<void> {
    const key = Uint8Array.from(this.#options.random.bytes(KEY_OCTETS));
    const wrapped = await next.wrap(key);
    // A service that cannot give it back is found out while the old one still can.
    if (Buffer.compare(await next.unwrap(wrapped), key) !== 0) {
      throw new MailError(
        'CANNOT',
        `The master key ${next.id} does not unwrap what it has wrapped`,
      );
    }
    const before = { root: this.#root, contents: this.#contents, keys: new Map(this.#keys) };
    this.#root = new Sealer(key, this.#session);
    this.#contents = { ...this.#contents, master: next.id, root: wrapped };
    for (const [account, held] of this.#keys) {
      this.#keys.set(account, { ...held, octets: sealKey(this.#root, account, held.key) });
    }
    try {
      this.#rewrite();
    } catch (error) {
      this.#root = before.root;
      this.#contents = before.contents;
      for (const [account, held] of before.keys) this.#keys.set(account, held);
      throw error;
    }
  }

  /** Writes all keys into the other slot, and overwrites the one that held before. */
  #rewrite(): void {
    const keys: SealedKey[] = [];
    for (const [account, { octets }] of this.#keys) keys.push({ account, octets });
    const contents = { ...this.#contents, generation: this.#contents.generation + 1 };
    this.#each((file) => file.replace({ ...contents, keys }));
    this.#contents = contents;
    for (const file of this.#files) {
      try {
        file.eraseOther();
      } catch (error) {
        const event = 'old keys are still on the disk';
        this.#options.log({ level: 'error', service: 'storage', event, error });
      }
    }
  }

  /** On every disk; one that fails is left out from then on, until the store is opened again. */
  #each(step: (file: KeyFile) => void): void {
    let failure: unknown;
    const failed: [Disk, unknown][] = [];
    const good = this.#files.filter((file) => {
      try {
        step(file);
        return true;
      } catch (error) {
        failure = error;
        failed.push([file.disk, error]);
        return false;
      }
    });
    if (good.length === this.#files.length) return;
    const { log } = this.#options;
    log({ level: 'error', service: 'storage', event: 'keys cannot be written', error: failure });
    if (good.length === 0) {
      throw new MailError('UNAVAILABLE', 'The keys of the store cannot be written', {
        cause: failure,
      });
    }
    this.#files = good;
    for (const [disk, error] of failed) this.#options.lost?.(disk, error);
  }

  /**
   * Seals what `to` holds from `at` on, where FRONT_OCTETS were left free, with the key of an account.
   * @throws MailError NONEXISTENT if that is destroyed
   */
  seal(to: Packer, at: number, account: KeyOwner, kind: SealedKind, context?: string): void {
    const sealer = this.#sealer(account);
    if (!sealer) throw new MailError('NONEXISTENT', 'The account is destroyed');
    to.raw(sealer.seal(to.bytes.subarray(at), kind, context));
  }

  /**
   * What was sealed, decrypted; undefined: the key is destroyed.
   * @throws MailError CORRUPTION
   */
  open(
    octets: Uint8Array,
    account: KeyOwner,
    kind: SealedKind,
    context?: string,
  ): Buffer | undefined {
    const sealer = this.#sealer(account);
    if (sealer) return sealer.open(octets, kind, context);
    this.missing.add(account);
    return undefined;
  }

  /**
   * For the search index of an account: a key from which that of the account cannot be told.
   * @throws MailError NONEXISTENT if that is destroyed
   */
  searchKey(account: AccountId): Uint8Array {
    const held = this.#keys.get(account);
    if (!held) throw new MailError('NONEXISTENT', 'The account is destroyed');
    return new Uint8Array(hkdfSync('sha256', held.key, '', 'mail-server-kit search', KEY_OCTETS));
  }

  /** Tells nothing, and is never drawn twice. */
  randomName(): string {
    return Buffer.from(this.#options.random.bytes(15)).toString('base64url');
  }

  #sealer(account: KeyOwner): Sealer | undefined {
    const held = this.#keys.get(account);
    return held && (held.sealer ??= new Sealer(held.key, this.#session));
  }
}

const NO_KEYS = 'The store has no keys: it is not encrypted, or its directory of keys is missing';

/** The newest of all. `differ`: somewhere is something else. @throws MailError CORRUPTION, CANNOT, or what the disk throws */
function loadAll(
  files: readonly KeyFile[],
  fresh: boolean,
  readOnly: boolean,
): { readonly best: KeyFileContents; readonly differ: boolean } | undefined {
  let failure: unknown;
  const loaded = files.map((file) => {
    try {
      return file.load({ readOnly });
    } catch (error) {
      if (isMailError(error, 'CANNOT')) throw error;
      failure = error;
      return undefined;
    }
  });
  const [best] = loaded
    .filter((contents) => contents !== undefined)
    .sort((a, b) => b.generation - a.generation || b.keys.length - a.keys.length);
  if (!best) {
    // Of a store that was never finished nothing can be lost.
    if (failure !== undefined && !fresh) throw failure;
    return undefined;
  }
  const same = (contents: KeyFileContents | undefined) =>
    contents?.generation === best.generation && contents.keys.length === best.keys.length;
  return { best, differ: !loaded.every(same) };
}

/** The root key. @throws MailError NOPERM, UNAVAILABLE */
async function unwrapped(masterKey: MasterKey, contents: KeyFileContents): Promise<Uint8Array> {
  const { master, root, keys } = contents;
  try {
    const key = await masterKey.unwrap(root);
    const own = keys.find(({ account }) => account === '');
    if (own) new Sealer(key, NO_SESSION).open(own.octets, sealed.key, '');
    return key;
  } catch (cause) {
    if (isMailError(cause, 'UNAVAILABLE')) throw cause;
    const text =
      masterKey.id === master
        ? `The master key (${master}) does not open the keys of the store: it is another one, or they are damaged`
        : `The store is encrypted with another master key (${master}, not ${masterKey.id})`;
    throw new MailError('NOPERM', text, { cause });
  }
}

const NO_SESSION = new Session({ bytes: (count) => new Uint8Array(count) });

function sealKey(root: Sealer, account: KeyOwner, key: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(FRONT_OCTETS + KEY_OCTETS);
  bytes.set(key, FRONT_OCTETS);
  const tag = root.seal(bytes, sealed.key, account);
  return Buffer.concat([bytes, tag]);
}
