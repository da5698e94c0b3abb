/**
 * What belongs to one account, as it lies in payloads of the journal and in values of the index: the account, an algorithm,
 * octets. Whoever destroys the account's key destroys these.
 */
import { MailError } from '@mail-server-kit/core';
import { UnpackError, Unpacker, type Packer } from './pack.ts';
import { FRONT_OCTETS, sealed } from './vault/sealer.ts';
import type { KeyOwner, Vault } from './vault/vault.ts';

/** The algorithms of the format. */
export const PLAIN = 0;
export const AES_256_GCM = 1;

/** `account`: '' is the store itself. `pack` appends to `to`; nothing is copied. `vault`: it is encrypted. */
export function packSection(to: Packer, account: KeyOwner, pack: () => void, vault?: Vault): void {
  to.text(account);
  to.u8(vault ? AES_256_GCM : PLAIN);
  const start = to.zeros(4) + 4;
  if (vault) to.zeros(FRONT_OCTETS);
  pack();
  vault?.seal(to, start, account, sealed.section);
  to.u32At(start - 4, to.length - start);
}

export interface Section {
  readonly account: KeyOwner;
  /** Undefined: the key of the account is destroyed. */
  readonly inside: Unpacker | undefined;
}

/** `from` goes on behind it. @throws MailError CORRUPTION; CANNOT if there has to be a vault */
export function unpackSection(from: Unpacker, vault?: Vault): Section {
  const account = from.text() as KeyOwner;
  const algorithm = from.u8();
  const octets = from.raw(from.u32());
  if (algorithm === PLAIN) return { account, inside: new Unpacker(octets) };
  if (algorithm !== AES_256_GCM) throw new UnpackError('a section of an unknown algorithm');
  if (!vault) throw isEncrypted();
  const plain = vault.open(octets, account, sealed.section);
  return { account, inside: plain && new Unpacker(plain) };
}

export const isEncrypted = (): MailError =>
  new MailError('CANNOT', 'The mail store is encrypted: it opens with its master key');
