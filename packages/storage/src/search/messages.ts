/**
 * Messages of a mailbox in the search thread: the store is in the main thread, which is asked for rows and octets, several
 * at once, so that the way between the threads is not gone for each message.
 */
import {
  MailError,
  eachUid,
  type Part,
  type Reason,
  type Row,
  type Source,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import type { Readable } from '@mail-server-kit/mime';
import type { Calls } from './calls.ts';

/** What the main thread offers. `job` names a snapshot that it holds. */
export interface MainHandlers {
  /** Rows of some uids, at most BATCH. */
  rows(args: { job: number; uids: UidRanges; parts: readonly Part[] }): Promise<Row[]>;
  /** The first octets of each message, as far as ALL_OCTETS go; at least of one. */
  octets(args: { job: number; uids: Uint32Array }): Promise<readonly Octets[]>;
  range(args: { job: number; uid: number; start: number; end: number }): Promise<Uint8Array>;
  log(args: {
    level: 'info' | 'warn' | 'error';
    event: string;
    account?: string;
    error?: unknown;
  }): void;
  /** The index of the account is gone. */
  lost(args: { account: string }): void;
  [name: string]: (args: never) => unknown;
}

export type Octets =
  | { readonly uid: number; readonly octets: Uint8Array }
  | { readonly uid: number; readonly failed: string; readonly code: Reason | undefined };

/** Rows that are asked for at once. */
export const BATCH = 128;
/** Octets of one message, and of all, that are sent unasked. */
export const FIRST_OCTETS = 65_536;
export const ALL_OCTETS = 1_048_576;
/** Octets of a large message that are asked for at once. */
const RANGE = 1_048_576;

/** A store that has one mailbox. */
export class Messages implements Readable {
  readonly #main: Calls<MainHandlers>;
  readonly #job: number;
  /** Of rows that were fetched, in their order. */
  #uids: readonly number[] = [];
  #octets = new Map<number, Octets>();

  constructor(main: Calls<MainHandlers>, job: number) {
    this.#main = main;
    this.#job = job;
  }

  async *fetch(
    _: unknown,
    uids: UidRanges,
    parts: readonly Part[],
  ): AsyncGenerator<readonly Row[], void> {
    let some: Uid[] = [];
    const rows = async () => {
      const batch = await this.#main.call('rows', {
        job: this.#job,
        uids: some.map((uid) => [uid, uid] as const),
        parts,
      });
      this.#uids = batch.map(({ uid }) => uid);
      this.#octets.clear();
      some = [];
      return batch;
    };
    for (const uid of eachUid(uids)) {
      if (some.push(uid) === BATCH) yield await rows();
    }
    if (some.length > 0) yield await rows();
  }

  async *read(source: Source, start = 0, end = Infinity): AsyncGenerator<Uint8Array, void> {
    const { uid } = source as { readonly uid: Uid };
    const first = await this.#first(uid);
    if ('failed' in first) throw thrown(first);
    const from = first.octets.subarray(start, Math.min(end, first.octets.length));
    if (from.length > 0) yield from;
    if (first.octets.length < FIRST_OCTETS) return;
    for (let at = Math.max(start, FIRST_OCTETS); at < end;) {
      const wanted = Math.min(RANGE, end - at);
      const octets = await this.#main.call('range', {
        job: this.#job,
        uid,
        start: at,
        end: at + wanted,
      });
      if (octets.length > 0) yield octets;
      if (octets.length < wanted) return;
      at += octets.length;
    }
  }

  async #first(uid: number): Promise<Octets> {
    let first = this.#octets.get(uid);
    if (!first) {
      const at = Math.max(0, this.#uids.indexOf(uid));
      const uids = this.#uids.length > 0 ? this.#uids.slice(at) : [uid];
      const some = await this.#main.call('octets', {
        job: this.#job,
        uids: Uint32Array.from(uids),
      });
      this.#octets = new Map(some.map((each) => [each.uid, each]));
      first = this.#octets.get(uid);
    }
    if (!first) throw new MailError('NONEXISTENT', 'No such message');
    return first;
  }
}

const thrown = ({ failed, code }: Extract<Octets, { failed: string }>): Error =>
  code ? new MailError(code, failed) : new Error(failed);
