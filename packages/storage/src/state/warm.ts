/**
 * A commit looks at columns of the messages that it names. Where many of them are not in memory they are read in slices before
 * it is planned, while the commits of others go on.
 */
import {
  isMailError,
  type MailboxId,
  type UidRange,
  type UidRanges,
  type Write,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import { blockFor } from './blocks.ts';
import { flagBits } from './flag-bits.ts';
import { changesRows } from './flag-change.ts';
import type { MailboxState } from './mailbox.ts';
import { flagChange } from './plan-messages.ts';
import type { World } from './world.ts';

/** So many blocks are read at once and nobody notices. */
const FEW = 16;

/** After so long others get their turn. */
const SLICE_MS = 3;

export class Warming {
  readonly #world: World;
  /** The last commit that waits, by the mailboxes that it names: later ones on the same mailbox must not overtake it. */
  readonly #last = new Map<MailboxId, Promise<void>>();

  constructor(world: World) {
    this.#world = world;
  }

  /** False: the commit can be planned now. Otherwise `action` is called when it can be. */
  before(writes: readonly Write[], action: () => void): boolean {
    // Mostly it is a message that arrives.
    if (this.#last.size === 0 && !writes.some((write) => 'uids' in write)) return false;
    const named = new Set(writes.flatMap(mailboxesOf));
    const earlier = [...named].flatMap((id) => this.#last.get(id) ?? []);
    const cold = writes.flatMap((write) => coldBlocks(this.#world, write));
    if (earlier.length === 0 && cold.length <= FEW) return false;
    const done = this.#wait(earlier, cold, action).finally(() => {
      for (const id of named) if (this.#last.get(id) === done) this.#last.delete(id);
    });
    for (const id of named) this.#last.set(id, done);
    return true;
  }

  async #wait(
    earlier: readonly Promise<void>[],
    cold: readonly StoreBlock[],
    action: () => void,
  ): Promise<void> {
    await Promise.all(earlier);
    const pinned: StoreBlock[] = [];
    try {
      let since = performance.now();
      for (const block of cold) {
        block.pin();
        pinned.push(block);
        if (performance.now() - since < SLICE_MS) continue;
        await new Promise<void>((resolve) => setImmediate(resolve));
        since = performance.now();
      }
    } catch {
      // Who plans on it meets the same error, and says which write it was.
    }
    action();
    for (const block of pinned) block.unpin();
  }
}

const mailboxesOf = (write: Write): MailboxId[] => [
  ...('mailbox' in write && write.mailbox !== undefined ? [write.mailbox] : []),
  ...('to' in write && write.to !== undefined ? [write.to] : []),
];

/** Blocks that have to be read before the write can be planned. */
function coldBlocks(world: World, write: Write): StoreBlock[] {
  const first = 'uids' in write ? write.uids[0]?.[0] : undefined;
  if (!('uids' in write) || first === undefined) return [];
  const last = (write.uids.at(-1) as UidRange)[1];
  const mailbox = world.mailboxes.get(write.mailbox)?.head;
  if (!mailbox) return [];
  const { blocks } = mailbox;
  const isNeeded = needs(mailbox, write);
  const cold: StoreBlock[] = [];
  // Of a list of many small ranges all blocks are read that lie between its ends.
  for (let index = blockFor(blocks, first); index < blocks.length; index++) {
    const block = blocks[index] as StoreBlock;
    if (block.firstUid > last) break;
    const away = block.cold;
    if (away && isNeeded(block)) cold.push(away);
  }
  return cold;
}

/** Which blocks of a mailbox a write has to look at. */
function needs(mailbox: MailboxState, write: WithUids): (block: StoreBlock) => boolean {
  if (write.op === 'expunge' && write.onlyDeleted) return ({ deleted }) => deleted > 0;
  if (write.op !== 'store') return () => true;
  const { unchangedSince } = write;
  if (unchangedSince !== undefined && unchangedSince < mailbox.highestModSeq) return () => true;
  try {
    const add = flagBits(mailbox.flagNames, write.set ?? write.add ?? []);
    const change = flagChange(mailbox, write, add);
    return (block) => changesRows(block, change) === 'some';
  } catch (error) {
    // Too many keywords: nothing will be changed.
    if (isMailError(error)) return () => false;
    throw error;
  }
}

type WithUids = Extract<Write, { readonly uids: UidRanges }>;
