/** Octets on their way in: small ones stay in memory and ride in the commit, larger ones go into the journal as chunks. */
import { crc32 } from 'node:zlib';
import { MailError, type StageId } from '@mail-server-kit/core';
import { CHUNK_OCTETS, collect, type StagingOptions } from '../staging.ts';
import type { Piece, Pieces } from '../state/pieces.ts';
import type { Journal } from './journal.ts';
import { CHUNK, RECORD_HEADER } from './layout.js';
import { sealBody } from './vault/body.ts';

/** A stage smaller than this needs no record of its own. */
export const INLINE_OCTETS = 65_536;

/** Chunks that may be on their way to the disk at one time, so that commits find the writer free. */
const BACKLOG = 2 * CHUNK_OCTETS;

export interface StagesOptions {
  readonly journal: Journal;
  /** Resolves when the writer has got further. */
  readonly progress: () => Promise<void>;
  readonly maxOctets: number;
  /** Chunks are encrypted. */
  readonly sealed: boolean;
}

export class Stages {
  readonly #stages = new Map<StageId, Pieces>();
  readonly #options: StagesOptions;
  readonly #chunkOctets: number;
  #octets = 0;
  #last = 0;

  constructor(options: StagesOptions) {
    this.#options = options;
    this.#chunkOctets = Math.min(CHUNK_OCTETS, Math.floor(options.journal.maxPayload / 2));
  }

  get(id: StageId): Pieces | undefined {
    return this.#stages.get(id);
  }

  async take(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StagingOptions,
  ): Promise<{ stage: StageId; size: number }> {
    const pieces: Piece[] = [];
    let size = 0;
    const take = async (chunk: Uint8Array) => {
      if (this.#octets + chunk.length > this.#options.maxOctets) {
        throw new MailError('LIMIT', 'Too much is being received');
      }
      this.#octets += chunk.length;
      size += chunk.length;
      const small = pieces.length === 0 && chunk.length < INLINE_OCTETS;
      pieces.push(small && chunk.length < this.#chunkOctets ? chunk : await this.#write(chunk));
    };
    try {
      await collect(octets, options, take, this.#chunkOctets);
    } catch (error) {
      // Its chunks stay behind in the journal as garbage.
      this.#octets -= size;
      throw error;
    }
    const stage = `S${++this.#last}` as StageId;
    this.#stages.set(stage, { size, pieces });
    return { stage, size };
  }

  async #write(chunk: Uint8Array): Promise<Piece> {
    const { journal, progress } = this.#options;
    const body = this.#options.sealed ? sealBody(chunk) : { bytes: chunk };
    const octets = body.bytes.length;
    const crc = crc32(body.bytes);
    const parts = [{ bytes: body.bytes, crc }];
    for (;;) {
      if (journal.backlog < BACKLOG) {
        // Not synced: the commit that names it will be.
        const placed = journal.append(parts, { type: CHUNK, sync: false }, () => {});
        if (placed) {
          const place = placed.place + RECORD_HEADER;
          const extent = { place, octets, crc, skip: 0, take: chunk.length };
          return 'key' in body ? { ...extent, key: body.key } : extent;
        }
      }
      await progress();
    }
  }

  discard(stage: StageId): void {
    this.#octets -= this.#stages.get(stage)?.size ?? 0;
    this.#stages.delete(stage);
  }
}
