/** One mailbox as it was at a moment, from the journal alone: for when the index has lost a part of it. */
import { expungedMailboxOf, type Disk, type MailboxId } from '@mail-server-kit/core';
import { apply, type Delta, type Rules } from '../state/delta.ts';
import type { MailboxState } from '../state/mailbox.ts';
import { Draft, World } from '../state/world.ts';
import { COMMIT, RECORD_HEADER, SEGMENT_HEADER, aligned, seedOf } from './layout.js';
import { absolute } from './medium.ts';
import { unpackCommit } from './pack-commit.ts';
import { Unpacker } from './pack.ts';
import { SegmentReader, type JournalRecord } from './scan.ts';
import { listSegments } from './segments.ts';
import type { Vault } from './vault/vault.ts';

/** Octets of journal that are read while everybody waits. */
const MOST_OCTETS = 1_073_741_824;

export interface Rebuild {
  readonly id: MailboxId;
  /** Of the last record that counts, which is on disk. */
  readonly lsn: number;
  readonly rules: Rules;
  readonly vault: Vault | undefined;
}

/**
 * Undefined: it was not there then, or the journal is too long to be read now.
 * @throws MailError CORRUPTION if the journal is damaged
 */
export function rebuildMailbox(
  disk: Disk,
  { id, lsn, rules, vault }: Rebuild,
): MailboxState | undefined {
  const world = new World();
  for (const { header, bytes, place } of recordsUpTo(disk, lsn)) {
    if (header.type !== COMMIT) continue;
    const from = new Unpacker(bytes, RECORD_HEADER + header.bodies);
    const draft = new Draft(world);
    const { at, deltas } = unpackCommit(from, header.version, vault);
    for (const delta of absolute(deltas, place)) {
      if (matters(delta, id)) apply(draft, delta, rules, at);
    }
    draft.publish()();
  }
  return world.mailboxes.get(id)?.durable;
}

/** Mailboxes and accounts come and go together; messages and records are only looked at where they belong to it. */
function matters(delta: Delta, id: MailboxId): boolean {
  switch (delta.kind) {
    case 'rows':
    case 'flags':
    case 'expunge':
      // What is expunged from a mailbox goes into its hidden one.
      return delta.mailbox === id || expungedMailboxOf(delta.mailbox) === id;
    case 'record':
    case 'recordGone':
      return false;
    default:
      return true;
  }
}

function* recordsUpTo(disk: Disk, end: number): Generator<JournalRecord> {
  const segments = [...listSegments(disk)];
  const octets = segments.reduce((sum, [, segment]) => sum + segment.octets, 0);
  const [, newest] = segments.at(-1) ?? [];
  if (!newest || octets > MOST_OCTETS) return;
  const seed = seedOf(newest.header.store);
  let lsn = 1;
  for (const [number, segment] of segments) {
    const reader = new SegmentReader(disk, number, segment.octets);
    try {
      for (let at = SEGMENT_HEADER; lsn <= end; lsn++) {
        const record = reader.record(at, lsn, seed);
        if (typeof record !== 'object') break;
        yield record;
        at = aligned(at + record.bytes.length);
      }
    } finally {
      reader.close();
    }
  }
}
