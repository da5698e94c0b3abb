/** Finds the keys of a store, or makes them for a new one. */
import fs from 'node:fs';
import path from 'node:path';
import { MailError, type Disk, type Log, type Random } from '@mail-server-kit/core';
import type { World } from '../../state/world.ts';
import { nodeDisk } from '../node-disk.js';
import { isEncrypted } from '../pack-section.ts';
import { hasKeys } from './key-file.ts';
import type { MasterKey } from './master-key.ts';
import { Vault } from './vault.ts';

export interface Encryption {
  readonly masterKey: MasterKey;
}

export interface OpenVaultOptions {
  /** Undefined: the store is not encrypted. */
  readonly encryption?: Encryption;
  /** Where its keys are, or would be. */
  readonly keyDisks?: readonly Disk[];
  readonly keyDiskLost?: (disk: Disk, error: unknown) => void;
  readonly random: Random;
  readonly log: Log;
  readonly readOnly?: boolean;
}

/** `make`: a directory for keys is made if it is not there. */
export function keyDisksOf(directory: string, make: boolean): readonly Disk[] {
  const keys = path.join(directory, 'keys');
  if (make) fs.mkdirSync(keys, { recursive: true, mode: 0o700 });
  return fs.existsSync(keys) ? [nodeDisk(keys)] : [];
}

/**
 * `store`: the id of the store that is there; undefined: it is new.
 * @throws MailError CANNOT if it is encrypted and no master key is given, or one is given and it is not; as Vault.open
 */
export async function openVault(
  store: Uint8Array | undefined,
  { encryption, keyDisks = [], keyDiskLost, readOnly = false, random, log }: OpenVaultOptions,
): Promise<Vault | undefined> {
  if (encryption) {
    const lost = keyDiskLost ? { lost: keyDiskLost } : {};
    return Vault.open(store, { ...encryption, ...lost, disks: keyDisks, readOnly, random, log });
  }
  if (keyDisks.some(hasKeys)) throw isEncrypted();
  return undefined;
}

/**
 * After all of the journal was read: an account without a key has to be one that is destroyed, and one that is destroyed
 * loses its key, if a crash came between the two.
 * @throws MailError CORRUPTION
 */
export function settleKeys(vault: Vault, world: World, readOnly: boolean): void {
  for (const account of vault.missing) {
    if (account !== '' && world.accounts.get(account)?.durable?.destroyed) continue;
    const whose = account === '' ? 'the store' : `account ${account}`;
    throw new MailError('CORRUPTION', `The key of ${whose} is missing`);
  }
  vault.missing.clear();
  if (readOnly) return;
  const destroyed = [...world.accounts.values()].flatMap(({ durable }) =>
    durable?.destroyed && vault.has(durable.id) ? [durable.id] : [],
  );
  vault.destroy(destroyed);
}
