/** What a store tells whoever runs it, and what can be asked of it at any time. */
export type StoreEvent =
  /** A side is out: the service goes on with the other. */
  | {
      readonly kind: 'degraded';
      readonly directory: string;
      readonly reason: Reason;
      /** For the operator. */
      readonly text: string;
      readonly at: number;
    }
  /** No side can be written any more: everything is read-only until the store is opened again. */
  | { readonly kind: 'failed'; readonly text: string; readonly at: number }
  /** A side is being filled. `done` and `total` are octets. */
  | {
      readonly kind: 'filling';
      readonly directory: string;
      readonly done: number;
      readonly total: number;
    }
  /** A side holds everything again. */
  | { readonly kind: 'whole'; readonly directory: string; readonly at: number }
  /** Octets that are not as they were written. `directory` is absent where every side is damaged. */
  | ({ readonly kind: 'damage' } & Damage)
  /** `done` and `total` are octets. */
  | { readonly kind: 'scrubbing'; readonly done: number; readonly total: number }
  | ({ readonly kind: 'scrubbed' } & ScrubReport);

/**
 * `missing`: the directory is not there. `vanished`: it went away while it was in use. `failed`: the disk returned an error.
 * `full`: no room for the journal. `slow`: the disk does not answer. `damaged`: the journal lacks something. `behind`: the
 * other went on without it. `new`: the directory is empty. `refused`: it must not be filled; the text says why.
 */
export type Reason =
  'missing' | 'vanished' | 'failed' | 'full' | 'slow' | 'damaged' | 'behind' | 'new' | 'refused';

export interface Damage {
  readonly directory?: string;
  /** Absent: in the index. */
  readonly segment?: number;
  readonly offset?: number;
  readonly octets?: number;
  /** Written anew from the other side. */
  readonly healed: boolean;
}

export interface ScrubReport {
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly ended: number;
  /** Octets of the journal that were read, of all sides together. */
  readonly octets: number;
  readonly damage: readonly Damage[];
}

export interface SideHealth {
  readonly directory: string;
  readonly state: 'whole' | 'filling' | 'out';
  /** Why it is not whole. */
  readonly reason?: Reason;
  readonly text?: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
  /** Octets of the journal while it is being filled. */
  readonly filled?: { readonly done: number; readonly total: number };
}

export interface StoreHealth {
  /**
   * `ok`: all sides are whole. `degraded`: everything works, and one more fault may be the end of it. `read-only`: nothing
   * can be written until the store is opened again.
   */
  readonly state: 'ok' | 'degraded' | 'read-only';
  readonly sides: readonly SideHealth[];
  /** Damage that could not be healed, found since the store was opened. */
  readonly damage: readonly Damage[];
  readonly lastScrub?: ScrubReport;
}
