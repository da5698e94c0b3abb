/**
 * What belongs to one account, as it lies in payloads of the journal and in values of the index: the account, an algorithm,
 * octets. Whoever destroys the account's key destroys these.
 */
import type { AccountId } from '@mail-server-kit/core';
import { UnpackError, Unpacker, type Packer } from './pack.ts';

/** Not encrypted. */
const PLAIN = 0;

/** `account`: '' is the store itself. `pack` appends to `to`; nothing is copied. */
export function packSection(to: Packer, account: AccountId | '', pack: () => void): void {
  to.text(account);
  to.u8(PLAIN);
  const start = to.zeros(4) + 4;
  pack();
  to.u32At(start - 4, to.length - start);
}

export interface Section {
  readonly account: AccountId | '';
  readonly inside: Unpacker;
}

/** `from` goes on behind it. */
export function unpackSection(from: Unpacker): Section {
  const account = from.text() as AccountId | '';
  if (from.u8() !== PLAIN) throw new UnpackError('a section of an unknown algorithm');
  return { account, inside: new Unpacker(from.raw(from.u32())) };
}
