/** One mailbox as it was at a moment, from the journal alone: for when the index has lost a part of it. */
import type { Disk, MailboxId } from '@mail-server-kit/core';
import type { Rules } from '../state/delta.ts';
import type { MailboxState } from '../state/mailbox.ts';
import { seedOf } from './layout.js';
import { listSegments } from './segments.ts';
import { rebuildMailbox as fromFolds } from './space/rebuild.ts';
import type { Vault } from './vault/vault.ts';

export interface Rebuild {
  readonly id: MailboxId;
  /** Of the last record that counts, which is on disk. */
  readonly lsn: number;
  readonly rules: Rules;
  readonly vault: Vault | undefined;
}

/**
 * Undefined: it was not there then. Right only if the caller finds the checksums that it knows.
 * @throws MailError CORRUPTION if the journal is damaged
 */
export function rebuildMailbox(
  disk: Disk,
  { id, lsn, rules, vault }: Rebuild,
): MailboxState | undefined {
  const segments = listSegments(disk);
  const [newest] = [...segments.values()].slice(-1);
  if (!newest) return undefined;
  const { store } = newest.header;
  return fromFolds({ disk, store, seed: seedOf(store), vault }, segments, { id, lsn, rules });
}
