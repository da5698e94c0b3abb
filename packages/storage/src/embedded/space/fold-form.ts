/** The payload of a fold record: what it is about, which part of how many, then changes that make the state out of nothing. */
import type { AccountId } from '@mail-server-kit/core';
import type { Delta } from '../../state/delta.ts';
import { packCommit, unpackCommit } from '../pack-commit.ts';
import type { Packer, Unpacker } from '../pack.ts';
import type { Vault } from '../vault/vault.ts';
import type { Item } from './items.ts';

export interface FoldHead {
  readonly item: Item;
  /** All its changes up to this LSN are in it. */
  readonly asOf: number;
  /** From 0. */
  readonly part: number;
  readonly parts: number;
}

export function packFold(
  to: Packer,
  head: FoldHead,
  deltas: readonly Delta[],
  vault: Vault | undefined,
): void {
  to.text(head.item.key);
  to.text(head.item.account);
  to.f64(head.asOf);
  to.varint(head.part);
  to.varint(head.parts);
  packCommit(to, { at: 0, results: [], deltas }, vault);
}

export function readFoldHead(from: Unpacker): FoldHead {
  return {
    item: { key: from.text(), account: from.text() as AccountId },
    asOf: from.f64(),
    part: from.varint(),
    parts: from.varint(),
  };
}

/** `version`: of the payload's form, from the record's header. */
export function readFold(
  from: Unpacker,
  version: number,
  vault: Vault | undefined,
): readonly Delta[] {
  readFoldHead(from);
  return unpackCommit(from, version, vault).deltas;
}
