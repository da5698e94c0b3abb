/** Turns the writes of a commit into deltas, on a draft: each write sees what those before it did. */
import {
  MailError,
  isExpungedMailbox,
  isMailError,
  type AccountId,
  type Content,
  type MailboxId,
  type MailboxLimits,
  type ModSeq,
  type StageId,
  type Uid,
  type Write,
  type WriteResult,
  lowerBound,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import { blockFor } from './blocks.ts';
import { apply, type Delta, type Rules } from './delta.ts';
import type { MailboxState } from './mailbox.ts';
import {
  cut,
  type Kept,
  type Message,
  type Piece,
  type Pieces,
  type RecordBody,
} from './pieces.ts';
import * as mailboxes from './plan-mailboxes.ts';
import * as messages from './plan-messages.ts';
import * as records from './plan-records.ts';
import { Draft, type AccountState, type World } from './world.ts';

/** What planning needs of the place where octets are. All of it answers at once. */
export interface Materials {
  /** A commit is about to be planned, perhaps once more; what was kept for one that was not taken is forgotten. */
  begin(): void;
  stage(id: StageId): Pieces | undefined;
  /** @throws MailError CORRUPTION */
  message(block: StoreBlock, row: number): Message;
  /** For a mailbox of `account`. */
  keep(message: Message, account: AccountId): Kept;
  /** `account`: whose record it is. */
  keepRecord(body: RecordBody, account: AccountId | undefined): Kept;
  /** What is kept for one account cannot be read for another one: a copy has to be kept again. */
  readonly sealed: boolean;
  /** `keep` hands back the message itself, which stays in memory. */
  readonly holds: boolean;
}

export class Planning {
  readonly deltas: Delta[] = [];
  readonly draft: Draft;
  readonly #copies = new Map<Uint8Array, Uint8Array>();
  /** Messages of this commit, in a store that holds them. */
  readonly #added = new Set<unknown>();

  constructor(
    world: World,
    readonly materials: Materials,
    readonly rules: Rules,
    readonly now: number,
  ) {
    this.draft = new Draft(world);
  }

  emit(delta: Delta): void {
    apply(this.draft, delta, this.rules, this.now);
    this.deltas.push(delta);
  }

  /** @throws MailError NONEXISTENT */
  account(id: AccountId): AccountState {
    const account = this.draft.account(id);
    if (!account || account.destroyed) throw new MailError('NONEXISTENT', 'No such account');
    return account;
  }

  /** @throws MailError NONEXISTENT */
  mailbox(id: MailboxId): MailboxState {
    const mailbox = this.draft.mailbox(id);
    if (!mailbox) throw new MailError('NONEXISTENT', 'No such mailbox');
    return mailbox;
  }

  /**
   * One that a client may change: expunged messages can only be read, brought back, or removed for good.
   * @throws MailError NONEXISTENT, CANNOT
   */
  visible(id: MailboxId): MailboxState {
    if (isExpungedMailbox(id)) throw new MailError('CANNOT', 'Expunged messages cannot be changed');
    return this.mailbox(id);
  }

  /** The modseq of the next change in an account. */
  nextModSeq(id: AccountId): ModSeq {
    return (this.account(id).modSeq + 1) as ModSeq;
  }

  keep(message: Message, account: AccountId): Kept {
    const kept = this.materials.keep(message, account);
    this.#added.add(kept.held);
    return kept;
  }

  /** Came with this very commit, so that nobody has ever seen it. */
  isNew(block: StoreBlock, row: number): boolean {
    return block.held ? this.#added.has(block.held[row]) : (block.place[row] as number) < 0;
  }

  /** @throws MailError NONEXISTENT, UNAVAILABLE if a stage is gone, CORRUPTION */
  content(content: Content): Pieces {
    const pieces: Piece[] = [];
    let size = 0;
    for (const slice of content) {
      let part: readonly Piece[];
      let octets: number;
      if (slice instanceof Uint8Array) {
        part = slice.length === 0 ? [] : [this.#own(slice)];
        octets = slice.length;
      } else {
        const source = 'stage' in slice ? this.#stage(slice.stage) : this.#stored(slice);
        const start = Math.max(0, slice.start ?? 0);
        const end = Math.min(source.size, slice.end ?? source.size);
        part = cut(source.pieces, start, end);
        octets = Math.max(0, end - start);
      }
      pieces.push(...part);
      size += octets;
    }
    return { size, pieces };
  }

  /** The caller may use its buffers again; one that it names several times is copied and kept once. */
  #own(octets: Uint8Array): Uint8Array {
    if (!this.materials.holds) return octets;
    let copy = this.#copies.get(octets);
    if (!copy) this.#copies.set(octets, (copy = new Uint8Array(octets)));
    return copy;
  }

  #stage(id: StageId): Pieces {
    const stage = this.materials.stage(id);
    if (!stage) throw new MailError('UNAVAILABLE', 'The message has to be sent again');
    return stage;
  }

  #stored({ mailbox, uid }: { mailbox: MailboxId; uid: Uid }): Pieces {
    const { blocks } = this.mailbox(mailbox);
    const block = blocks[blockFor(blocks, uid)];
    const row = block ? lowerBound(block.uid, uid) : 0;
    if (block?.uid[row] !== uid) throw new MailError('NONEXISTENT', 'No such message');
    return this.materials.message(block, row);
  }

  /**
   * What an account is to have more of.
   * @throws MailError OVERQUOTA
   */
  charge(id: AccountId, more: More & { mailboxes?: number }): void {
    const account = this.account(id);
    const { mailboxes: boxes = 0 } = more;
    const most = account.limits.mailboxes ?? Infinity;
    if (isOver(account, more) || (boxes > 0 && account.mailboxes.size + boxes > most)) {
      throw new MailError('OVERQUOTA', 'Quota exceeded');
    }
  }

  /**
   * What one mailbox is to have more of: also by a move within its account, for which that is not charged.
   * @throws MailError OVERQUOTA
   */
  chargeMailbox(mailbox: MailboxState, more: More): void {
    if (isOver(mailbox, more)) throw new MailError('OVERQUOTA', 'Quota of the mailbox exceeded');
  }
}

interface More {
  readonly octets?: number;
  readonly messages?: number;
}

/** What adds nothing is never too much, though the limit be lower than what is there. */
function isOver(
  there: { readonly octets: number; readonly messages: number; readonly limits: MailboxLimits },
  { octets = 0, messages: count = 0 }: More,
): boolean {
  const { limits } = there;
  return (
    (octets > 0 && there.octets + octets > (limits.octets ?? Infinity)) ||
    (count > 0 && there.messages + count > (limits.messages ?? Infinity))
  );
}

export interface Plan {
  /** All of it applied, but with places below zero where the medium has not decided yet. */
  readonly draft: Draft;
  readonly deltas: readonly Delta[];
  readonly results: readonly WriteResult[];
}

/** @throws MailError with `write`: the index of the culprit */
export function plan(
  world: World,
  writes: readonly Write[],
  materials: Materials,
  rules: Rules,
  now: number,
): Plan {
  materials.begin();
  const planning = new Planning(world, materials, rules, now);
  const { counters } = planning.draft;
  const results = writes.map((write, index) => {
    try {
      return planWrite(planning, write);
    } catch (error) {
      if (!isMailError(error)) throw error;
      throw new MailError(error.code, error.message, { cause: error.cause, write: index });
    }
  });
  if (planning.draft.counters !== counters) {
    planning.deltas.unshift({ kind: 'counters', ...planning.draft.counters });
  }
  return { draft: planning.draft, deltas: planning.deltas, results };
}

function planWrite(planning: Planning, write: Write): WriteResult {
  switch (write.op) {
    case 'append':
      return messages.append(planning, write);
    case 'store':
      return messages.store(planning, write);
    case 'copy':
    case 'move':
      return messages.copy(planning, write);
    case 'expunge':
      return messages.expunge(planning, write);
    case 'undelete':
      return messages.undelete(planning, write);
    case 'replace':
      return messages.replace(planning, write);
    case 'expectMailbox':
      return messages.expect(planning, write);
    case 'createMailbox':
      return mailboxes.create(planning, write);
    case 'renameMailbox':
      return mailboxes.rename(planning, write);
    case 'deleteMailbox':
      return mailboxes.remove(planning, write);
    case 'setMailbox':
      return mailboxes.set(planning, write);
    case 'subscribeName':
      return mailboxes.subscribeName(planning, write);
    case 'createAccount':
      return mailboxes.createAccount(planning, write);
    case 'destroyAccount':
      return mailboxes.destroyAccount(planning, write);
    case 'setAccount':
      return mailboxes.setAccount(planning, write);
    case 'putRecord':
      return records.put(planning, write);
    case 'deleteRecord':
      return records.remove(planning, write);
    case 'expectRecord':
      return records.expect(planning, write);
    default:
      throw new TypeError(`not a write: ${JSON.stringify((write as Write).op)}`);
  }
}

/** One kind of write. */
export type WriteOf<Op extends Write['op']> = Extract<Write, { readonly op: Op }>;
