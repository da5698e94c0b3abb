/** The indexes of all accounts: one after the other for each account, the last used ones in memory. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { AccountFiles, Damaged } from './account-files.ts';
import { isMissing } from './directory.ts';
import { plain, sealer } from './seal.ts';

/** Accounts whose names are remembered, with nothing in memory. */
const ACCOUNTS = 1000;

export class Library {
  /** Least recently used first. */
  readonly #accounts = new Map<string, AccountFiles>();
  readonly #underWay = new Map<string, Promise<unknown>>();
  #kept = 0;

  constructor(
    readonly directory: string,
    readonly store: Uint8Array,
    /** Of catalogs in memory. */
    readonly cacheOctets: number,
    /** What was there of the account is lost. */
    readonly onLost: (account: string, error: unknown) => void,
  ) {}

  /** Nobody else works with the files of the account until `work` is done. `key`: undefined if it has none. */
  async with<T>(
    account: string,
    key: Uint8Array | undefined,
    work: (files: AccountFiles) => T | Promise<T>,
  ): Promise<T> {
    const before = this.#underWay.get(account) ?? Promise.resolve();
    const mine = before.then(() => this.#run(account, key, work));
    const settled = mine.catch(() => {});
    this.#underWay.set(account, settled);
    try {
      return await mine;
    } finally {
      if (this.#underWay.get(account) === settled) this.#underWay.delete(account);
    }
  }

  async #run<T>(
    account: string,
    key: Uint8Array | undefined,
    work: (files: AccountFiles) => T | Promise<T>,
  ): Promise<T> {
    const files = this.#filesOf(account, key);
    this.#kept -= files.kept;
    try {
      try {
        return await work(files);
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        files.remove();
        this.onLost(account, error);
        return await work(files);
      }
    } finally {
      files.release();
      this.#kept += files.kept;
      this.#shrink();
    }
  }

  #filesOf(account: string, key: Uint8Array | undefined): AccountFiles {
    let files = this.#accounts.get(account);
    if (files) {
      this.#accounts.delete(account);
      if ((files.sealer.algorithm === 1) !== (key !== undefined)) {
        this.#kept -= files.kept;
        files = undefined;
      }
    }
    const { directory, store, cacheOctets } = this;
    files ??= new AccountFiles(
      path.join(directory, fileName(account)),
      { store, account },
      key ? sealer(key) : plain,
      cacheOctets,
    );
    this.#accounts.set(account, files);
    return files;
  }

  #shrink(): void {
    for (const [account, files] of this.#accounts) {
      if (this.#kept <= this.cacheOctets && this.#accounts.size <= ACCOUNTS) return;
      if (this.#underWay.has(account)) continue;
      this.#accounts.delete(account);
      this.#kept -= files.kept;
    }
  }

  async remove(account: string): Promise<void> {
    await this.with(account, undefined, (files) => files.remove());
    this.#accounts.delete(account);
  }

  /** Every account that has files here. */
  *accounts(): Generator<string, void> {
    for (const shelf of namesIn(this.directory)) {
      for (const name of namesIn(path.join(this.directory, shelf))) {
        const account = /^([^.]+)\.cat$/.exec(name)?.[1];
        if (account !== undefined) yield accountOf(account);
      }
    }
  }

  /** Of all accounts. */
  removeAll(): void {
    this.#accounts.clear();
    this.#kept = 0;
    for (const name of namesIn(this.directory)) {
      fs.rmSync(path.join(this.directory, name), { recursive: true, force: true });
    }
  }
}

/** `=` before a letter stands for its capital: some disks do not tell them apart. 256 directories. */
function fileName(account: string): string {
  const name = account.replace(/[A-Z]/g, (letter) => `=${letter.toLowerCase()}`);
  const shelf = createHash('sha256').update(account).digest('hex').slice(0, 2);
  return path.join(shelf, name);
}

const accountOf = (name: string) =>
  name.replace(/=([a-z])/g, (_, letter: string) => letter.toUpperCase());

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return [];
    throw error;
  }
}
