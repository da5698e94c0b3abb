/** Octets on their way in: small ones stay in memory and ride in the commit, larger ones go into the journal as chunks. */
import type { StageId, StageOptions } from '@mail-server-kit/core';
import { StagingRoom, type Share } from '../room.ts';
import { CHUNK_OCTETS, collect } from '../staging.ts';
import type { Piece, Pieces } from '../state/pieces.ts';
import type { Journal } from './journal.ts';
import { CHUNK, RECORD_HEADER } from './layout.js';
import type { FreeSpace } from './space/free-space.ts';
import { plainBody, sealBody } from './vault/body.ts';

/** A stage smaller than this needs no record of its own. */
export const INLINE_OCTETS = 65_536;

/** Chunks that may be on their way to the disk at one time, so that commits find the writer free. */
const BACKLOG = 2 * CHUNK_OCTETS;

export interface StagesOptions {
  readonly journal: Journal;
  /** Resolves when the writer has got further. */
  readonly progress: () => Promise<void>;
  readonly maxOctets: number;
  readonly freeSpace: FreeSpace;
  /** Chunks are encrypted. */
  readonly sealed: boolean;
}

interface Staged {
  readonly pieces: Pieces;
  readonly share: Share;
}

export class Stages {
  readonly #stages = new Map<StageId, Staged>();
  /** Pieces of what is still arriving. */
  readonly #arriving = new Set<readonly Piece[]>();
  readonly #room: StagingRoom;
  readonly #options: StagesOptions;
  readonly #chunkOctets: number;
  #last = 0;

  constructor(options: StagesOptions) {
    this.#options = options;
    this.#room = new StagingRoom(options.maxOctets);
    this.#chunkOctets = Math.min(CHUNK_OCTETS, Math.floor(options.journal.maxPayload / 2));
  }

  /** Everything that a commit may still name. */
  *pieces(): Generator<Piece> {
    for (const { pieces } of this.#stages.values()) yield* pieces.pieces;
    for (const pieces of this.#arriving) yield* pieces;
  }

  get(id: StageId): Pieces | undefined {
    return this.#stages.get(id)?.pieces;
  }

  async take(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StageOptions,
  ): Promise<{ stage: StageId; size: number }> {
    const pieces: Piece[] = [];
    this.#options.freeSpace.need();
    const share = this.#room.begin(options.owner);
    this.#arriving.add(pieces);
    const take = async (chunk: Uint8Array) => {
      const small = pieces.length === 0 && chunk.length < INLINE_OCTETS;
      pieces.push(small && chunk.length < this.#chunkOctets ? chunk : await this.#write(chunk));
    };
    try {
      const size = await collect(octets, options, share, take, this.#chunkOctets);
      const stage = `S${++this.#last}` as StageId;
      this.#stages.set(stage, { pieces: { size, pieces }, share });
      return { stage, size };
    } catch (error) {
      // Its chunks stay behind in the journal as garbage.
      share.free();
      throw error;
    } finally {
      this.#arriving.delete(pieces);
    }
  }

  async #write(chunk: Uint8Array): Promise<Piece> {
    const { journal, progress, freeSpace } = this.#options;
    const body = this.#options.sealed ? sealBody(chunk) : plainBody(chunk);
    const { octets, crc, parts } = body;
    for (;;) {
      freeSpace.need();
      if (journal.backlog < BACKLOG) {
        // Not synced: the commit that names it will be.
        const placed = journal.append(parts, { type: CHUNK, sync: false }, () => {});
        if (placed) {
          const place = placed.place + RECORD_HEADER;
          const extent = { place, octets, crc, skip: 0, take: chunk.length };
          return body.key ? { ...extent, key: body.key } : extent;
        }
      }
      await progress();
    }
  }

  discard(stage: StageId): void {
    this.#stages.get(stage)?.share.free();
    this.#stages.delete(stage);
  }
}
