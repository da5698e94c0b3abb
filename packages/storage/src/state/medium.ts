/** Where a store puts octets and commits: memory, or a journal. */
import type {
  AccountId,
  EmailId,
  MailError,
  Part,
  Row,
  Stage,
  StageId,
  StageOptions,
  WriteResult,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import type { Delta } from './delta.ts';
import type { Kept, Piece, RecordBody } from './pieces.ts';
import type { Materials } from './plan.ts';

/** A planned commit on its way to the medium. */
export interface Planned {
  readonly deltas: readonly Delta[];
  readonly results: readonly WriteResult[];
  readonly at: number;
  readonly id?: string;
}

export interface Medium extends Materials {
  stageOctets(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StageOptions,
  ): Promise<Stage>;
  discard(stage: StageId): void;
  /**
   * Takes a commit. `done` is called once it is durable or lost, in the order of the commits. Returns its place in the order
   * and the deltas with all places known; undefined: there is no room now, `onRoom` tells when to try again.
   * @throws MailError LIMIT, UNAVAILABLE: nothing was taken
   */
  persist(
    planned: Planned,
    done: (error?: MailError) => void,
  ): { readonly lsn: number; readonly deltas: readonly Delta[] } | undefined;
  /** @throws MailError CORRUPTION, EXPUNGED */
  facts(
    block: StoreBlock,
    row: number,
    wanted: { readonly account: AccountId; readonly parts: readonly Part[] },
  ): { readonly emailId?: EmailId; readonly facts: Row['facts'] };
  /** @throws MailError CORRUPTION */
  recordBody(kept: Kept): RecordBody;
  /** @throws MailError CORRUPTION */
  octets(piece: Piece): Promise<Uint8Array>;
  /** After the last commit is done. */
  close(): Promise<void>;
}
