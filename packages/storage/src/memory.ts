/**
 * The smallest honest store: everything in memory, gone with the process. For tests, and to be read first. What nobody
 * points to any more is freed by the garbage collector.
 */
import {
  MailError,
  silent,
  systemClock,
  type Clock,
  type EmailId,
  type Facts,
  type Log,
  type MailStore,
  type StageId,
} from '@mail-server-kit/core';
import type { StoreBlock } from './state/block.ts';
import { checkUndeleteMs } from './state/expunged.ts';
import { VANISHED_MS, VANISHED_RANGES } from './state/mailbox.ts';
import type { Kept, Message, Piece, Pieces, RecordBody } from './state/pieces.ts';
import type { Medium, Planned } from './state/medium.ts';
import { StateStore } from './state/store.ts';
import { collect, type StagingOptions } from './staging.ts';

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
  readonly #stages = new Map<StageId, Pieces>();
  readonly #maxStaged: number;
  #staged = 0;
  #lastStage = 0;
  #lsn = 0;

  constructor(maxStaged: number) {
    this.#maxStaged = maxStaged;
  }

  begin(): void {}

  async stageOctets(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StagingOptions,
  ): Promise<{ stage: StageId; size: number }> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    try {
      await collect(octets, options, (chunk) => {
        if (this.#staged + chunk.length > this.#maxStaged) {
          throw new MailError('LIMIT', 'Too much is being received');
        }
        this.#staged += chunk.length;
        size += chunk.length;
        pieces.push(chunk);
      });
    } catch (error) {
      this.#staged -= size;
      throw error;
    }
    const stage = `S${++this.#lastStage}` as StageId;
    this.#stages.set(stage, { size, pieces });
    return { stage, size };
  }

  discard(stage: StageId): void {
    this.#staged -= this.#stages.get(stage)?.size ?? 0;
    this.#stages.delete(stage);
  }

  stage(id: StageId): Pieces | undefined {
    return this.#stages.get(id);
  }

  message(block: StoreBlock, row: number): Message {
    return block.held?.[row] as Message;
  }

  facts(block: StoreBlock, row: number): { emailId: EmailId; facts: Facts } {
    return block.held?.[row] as Message;
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
