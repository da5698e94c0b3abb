/**
 * The smallest honest store: everything in memory, gone with the process. For tests, and to be read first. What nobody
 * points to any more is freed by the garbage collector.
 */
import {
  silent,
  systemClock,
  type Clock,
  type Log,
  type MailStore,
  type StageId,
  type StageOptions,
} from '@mail-server-kit/core';
import type { StoreBlock } from './state/block.ts';
import { checkUndeleteMs } from './state/expunged.ts';
import { VANISHED_MS, VANISHED_RANGES } from './state/mailbox.ts';
import {
  someFacts,
  type Kept,
  type Message,
  type Piece,
  type Pieces,
  type RecordBody,
} from './state/pieces.ts';
import type { Medium, Planned } from './state/medium.ts';
import { StateStore } from './state/store.ts';
import { StagingRoom, type Share } from './room.ts';
import { collect } from './staging.ts';

export interface MemoryStoreOptions {
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Octets staged at one time. Default 256 MiB. */
  readonly maxStagedOctets?: number;
  /** Ranges of expunged uids that a mailbox remembers (RFC 7162 section 3.2.5.2). Default 16,384. */
  readonly vanishedRanges?: number;
  /** Milliseconds for which it remembers them. Default 90 days. */
  readonly vanishedMs?: number;
  /** Milliseconds for which expunged messages can be brought back. Default 7 days, at least 10 minutes. */
  readonly undeleteMs?: number;
  readonly log?: Log;
}

export function createMemoryStore(options: MemoryStoreOptions = {}): MailStore {
  const { clock = systemClock, log = silent } = options;
  const rules = {
    vanishedRanges: options.vanishedRanges ?? VANISHED_RANGES,
    vanishedMs: options.vanishedMs ?? VANISHED_MS,
  };
  const undeleteMs = checkUndeleteMs(options.undeleteMs);
  const medium = new Memory(options.maxStagedOctets ?? 256 * 1_048_576);
  return new StateStore(medium, { clock, log, rules, undeleteMs });
}

class Memory implements Medium {
  readonly holds = true;
  readonly sealed = false;
  readonly #stages = new Map<StageId, { readonly pieces: Pieces; readonly share: Share }>();
  readonly #room: StagingRoom;
  #lastStage = 0;
  #lsn = 0;

  constructor(maxStaged: number) {
    this.#room = new StagingRoom(maxStaged);
  }

  begin(): void {}

  async stageOctets(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StageOptions,
  ): Promise<{ stage: StageId; size: number }> {
    const pieces: Uint8Array[] = [];
    const share = this.#room.begin(options.owner);
    try {
      const size = await collect(octets, options, share, (chunk) => void pieces.push(chunk));
      const stage = `S${++this.#lastStage}` as StageId;
      this.#stages.set(stage, { pieces: { size, pieces }, share });
      return { stage, size };
    } catch (error) {
      share.free();
      throw error;
    }
  }

  discard(stage: StageId): void {
    this.#stages.get(stage)?.share.free();
    this.#stages.delete(stage);
  }

  stage(id: StageId): Pieces | undefined {
    return this.#stages.get(id)?.pieces;
  }

  message(block: StoreBlock, row: number): Message {
    return block.held?.[row] as Message;
  }

  facts(
    block: StoreBlock,
    row: number,
    { parts }: Parameters<Medium['facts']>[2],
  ): ReturnType<Medium['facts']> {
    const { emailId, facts } = block.held?.[row] as Message;
    return { emailId, facts: someFacts(facts, parts) };
  }

  keep(message: Message): Kept {
    const { envelope, structure } = message.facts;
    // The caller may use its buffers again; those of the content are ours already.
    const facts = { ...message.facts, envelope: copy(envelope), structure: copy(structure) };
    return { place: 0, octets: 0, held: { ...message, facts } satisfies Message };
  }

  keepRecord({ value, content }: RecordBody): Kept {
    const held: RecordBody = { value: copy(value), ...(content ? { content } : {}) };
    return { place: 0, octets: 0, held };
  }

  recordBody({ held }: Kept): RecordBody {
    return held as RecordBody;
  }

  persist(planned: Planned, done: () => void): { lsn: number; deltas: Planned['deltas'] } {
    queueMicrotask(done);
    return { lsn: ++this.#lsn, deltas: planned.deltas };
  }

  async octets(piece: Piece): Promise<Uint8Array> {
    return piece as Uint8Array;
  }

  async close(): Promise<void> {
    this.#stages.clear();
  }
}

const copy = (octets: Uint8Array) => new Uint8Array(octets);
