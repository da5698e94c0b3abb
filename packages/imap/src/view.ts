/**
 * One client's idea of a mailbox: which message has which sequence number, and the only place that reports changes.
 *
 * The client's numbers are the rows of the newest snapshot plus `gone`: messages that others expunged and that still count
 * until an EXPUNGE may be sent (RFC 9051 section 7.5.1). So the view holds no list of uids; a thousand of them on one
 * mailbox share its blocks.
 */
import {
  ascending,
  isMailError,
  normalize,
  subtract,
  type MailboxId,
  type MailboxInfo,
  type MailboxSnapshot,
  type MailStore,
  type UidRanges,
  lowerBound,
} from '@mail-server-kit/core';
import { ColumnLines, FLAGS, uidColumn, type NumberColumn } from './columns.ts';
import { difference } from './difference.ts';
import { flagNamesOf, FlagTexts, permanentFlags } from './flag-texts.ts';
import type { Recent } from './recent.ts';
import type { Respond } from './respond.ts';
import { Positions, Rows } from './rows.ts';
import { LAST, type SequenceSet } from './wire/reader.ts';
import { Fatal, Problem } from './wire/problem.ts';

/** What a report may say and how. */
export interface Report {
  /** No FETCH, STORE or SEARCH with sequence numbers is in progress (RFC 9051 section 7.5.1). */
  readonly expunges: boolean;
  /** FETCH responses carry the UID: the command was a UID command (RFC 9051 section 6.4.9). */
  readonly uid: boolean;
  /** Whose flags the caller shows itself, or has no wish to hear (STORE .SILENT): asked when what has changed is known. */
  readonly spare?: () => UidRanges;
}

/** How changes are worded; extensions put others in their place (MODSEQ, VANISHED). */
export interface Wording {
  /** Written in each FETCH response that tells of changed flags. */
  readonly besideFlags: NumberColumn[];
  /** The response code of a command that has removed messages from the mailbox. */
  afterRemoval: ((view: View) => string) | undefined;
  /** \Recent and RECENT are told: the client did not enable IMAP4rev2. */
  readonly recent: boolean;
}

const star = Buffer.from('* ');
const expunged = Buffer.from(' EXPUNGE\r\n');

export class View {
  readonly mailbox: MailboxId;
  readonly readOnly: boolean;
  readonly info: MailboxInfo;
  readonly flags = new FlagTexts();
  /** The result of the last SEARCH with SAVE (RFC 9051 section 6.4.4.1). */
  saved: UidRanges = [];

  #positions: Positions;
  /** Uids that vanished and still have a number, ascending. */
  #gone: number[] = [];
  /** Uids whose flags changed and were not told yet, ascending. */
  #changed: number[] = [];
  /** What the last EXISTS said. */
  #told: number;
  /** A hint came since the last look. */
  #stale = false;
  #wake: (() => void) | undefined;
  /** Uids that are \Recent here. */
  #recent: [number, number][] = [];
  #cancel = (): void => {};
  readonly #store: MailStore;
  readonly #recents: Recent;

  private constructor(
    store: MailStore,
    info: MailboxInfo,
    snapshot: MailboxSnapshot,
    { readOnly, recents }: Opening,
  ) {
    this.#store = store;
    this.info = info;
    this.mailbox = info.id;
    this.readOnly = readOnly;
    this.#recents = recents;
    this.#positions = new Positions(snapshot);
    this.#told = snapshot.messages;
    this.#claimRecent();
  }

  /** @throws MailError NONEXISTENT, NOPERM */
  static async open(store: MailStore, info: MailboxInfo, opening: Opening): Promise<View> {
    // Subscribed first, read after: no change falls between.
    let view: View | undefined;
    let early = false;
    const cancel = store.subscribe({ mailboxes: [info.id] }, () => {
      early = true;
      view?.touch();
    });
    try {
      view = new View(store, info, await store.open(info.id), opening);
      view.#cancel = cancel;
      if (early) view.touch();
      return view;
    } catch (error) {
      cancel();
      throw error;
    }
  }

  get snapshot(): MailboxSnapshot {
    return this.#positions.snapshot;
  }

  /** The uids of all messages that are there. */
  get present(): UidRanges {
    return this.#positions.present;
  }

  /** Messages as the client counts them. */
  get messages(): number {
    return this.snapshot.messages + this.#gone.length;
  }

  get recentCount(): number {
    let count = 0;
    for (const [first, last] of this.#recent) {
      count += this.#positions.countBelow(last + 1) - this.#positions.countBelow(first);
    }
    return count;
  }

  isRecent(uid: number): boolean {
    return this.#recent.some(([first, last]) => uid >= first && uid <= last);
  }

  /** Uids of messages that are gone and not told yet, among `set`. */
  hasGone(set: UidRanges): boolean {
    return set.some(([first, last]) => {
      const next = this.#gone[lowerBound(this.#gone, first)];
      return next !== undefined && next <= last;
    });
  }

  /** Something may have changed: the next report looks. */
  touch(): void {
    this.#stale = true;
    this.#wake?.();
  }

  /** Resolves when something may have changed since the last report. One waiter at a time. */
  changed(): Promise<void> {
    if (this.#stale) return Promise.resolve();
    return new Promise((resolve) => (this.#wake = resolve));
  }

  close(): void {
    this.#cancel();
    this.#wake?.();
  }

  /** The rows of `set` that are there now; they stay as they are now, whatever comes. */
  rows(set: UidRanges): Rows {
    return new Rows(this.#positions, set);
  }

  /**
   * The uids that a command means; may name some that are not there.
   * @throws Problem for a sequence number that no message has (RFC 9051 section 9, seq-number)
   */
  uidsOf(set: SequenceSet, uid: boolean): UidRanges {
    if (set === '$') return this.saved;
    if (uid) {
      const last =
        Math.max(this.#positions.lastUid, this.#gone.at(-1) ?? 0) || this.snapshot.uidNext;
      return normalize(set.map(([a, b]) => [a === LAST ? last : a, b === LAST ? last : b]));
    }
    const count = this.messages;
    const ranges: [number, number][] = [];
    for (const [a, b] of set) {
      // Lenient where the RFC is not: `1:*` of an empty mailbox is nothing. Many clients ask so without having looked.
      if (count === 0 && (a === LAST || b === LAST)) continue;
      const first = Math.min(a === LAST ? count : a, b === LAST ? count : b);
      const last = Math.max(a === LAST ? count : a, b === LAST ? count : b);
      if (last > count) throw new Problem(`There is no message ${last}, the last one is ${count}`);
      ranges.push([this.uidAt(first), this.uidAt(last)]);
    }
    return normalize(ranges);
  }

  /** The uid of a sequence number. */
  uidAt(sequenceNumber: number): number {
    // The number of gone messages in front of it, by bisection: gone[k] has the number countBelow(gone[k]) + k + 1.
    let low = 0;
    let high = this.#gone.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const uid = this.#gone[middle] as number;
      const number = this.#positions.countBelow(uid) + middle + 1;
      if (number === sequenceNumber) return uid;
      if (number < sequenceNumber) low = middle + 1;
      else high = middle;
    }
    return this.#positions.uidAt(sequenceNumber - 1 - low);
  }

  /** The sequence number of the row that `rows` stands on. */
  numberOf(rows: Rows): number {
    return this.#gone.length === 0
      ? rows.index + 1
      : rows.index + 1 + lowerBound(this.#gone, rows.uid);
  }

  /** Sequence numbers of uids that are there, as ranges. */
  numbersOf(uids: UidRanges): UidRanges {
    const out: [number, number][] = [];
    const rows = this.rows(uids);
    let last: [number, number] | undefined;
    while (rows.next()) {
      const number = this.numberOf(rows);
      if (last && number === last[1] + 1) last[1] = number;
      else out.push((last = [number, number]));
    }
    return out as unknown as UidRanges;
  }

  /** Looks whether anything changed and tells the client what it may be told now. */
  async report(respond: Respond, wording: Wording, report: Report): Promise<void> {
    const before = this.snapshot;
    if (this.#stale) await this.#look();
    // A keyword is named before a FETCH response shows it: FLAGS is the list of those that may come (RFC 9051 section
    // 7.3.5). When no more fit, the code without \* is a MUST (section 7.1).
    if (this.snapshot.flagNames.length > before.flagNames.length) {
      respond.untagged(`FLAGS (${flagNamesOf(this.snapshot)})`);
      if (!this.readOnly) respond.code(...permanentFlags(this.snapshot));
    }
    if (report.expunges && this.#gone.length > 0) await this.#reportGone(respond);
    const { messages } = this;
    if (messages !== this.#told) {
      this.#told = messages;
      respond.untagged(`${messages} EXISTS`);
      this.#claimRecent();
      if (wording.recent) respond.untagged(`${this.recentCount} RECENT`);
    }
    if (this.#changed.length > 0) await this.#reportFlags(respond, wording, report);
  }

  async #look(): Promise<void> {
    // Before the look: a hint that comes while it is under way means another one.
    this.#stale = false;
    const before = this.snapshot;
    const after = await this.#store.open(this.mailbox, before).catch((error: unknown) => {
      // Somebody deleted the mailbox. There is no response for that, so the link is cut (RFC 2180 section 3.3).
      if (!isMailError(error, 'NONEXISTENT')) throw error;
      throw new Fatal('The selected mailbox was deleted');
    });
    if (after === before) return;
    const { vanished, changed } = difference(before, after);
    this.#positions = new Positions(after);
    this.#gone = merge(this.#gone, vanished);
    this.#changed = merge(this.#changed, changed);
  }

  async #reportGone({ out }: Respond): Promise<void> {
    const gone = this.#gone;
    this.#told -= gone.length;
    this.#gone = [];
    // From the last to the first: so the numbers of the others hold until all are told.
    for (let i = gone.length - 1; i >= 0; i--) {
      const number = this.#positions.countBelow(gone[i] as number) + i + 1;
      out.octets(star).number(number).octets(expunged);
      if (out.full) await out.flush();
    }
  }

  async #reportFlags(respond: Respond, wording: Wording, report: Report): Promise<void> {
    const changed = ascending(this.#changed);
    this.#changed = [];
    const told = report.spare ? subtract(changed, report.spare()) : changed;
    if (told.length === 0) return;
    const columns = [...(report.uid ? [uidColumn] : []), FLAGS, ...wording.besideFlags] as const;
    await new ColumnLines(this, wording, columns).write(this.rows(told), respond.out);
  }

  /** \Recent stands among the flags of some messages. */
  tellsRecent(wording: Wording): boolean {
    return wording.recent && this.#recent.length > 0;
  }

  /** The flags of a row with their parentheses. */
  flagsOf(rows: Rows, wording: Wording): Uint8Array {
    const recent = this.tellsRecent(wording) && this.isRecent(rows.uid);
    return this.flags.of(this.snapshot.flagNames, rows.flagsLow, rows.flagsHigh, recent);
  }

  #claimRecent(): void {
    const { snapshot } = this;
    const first = this.#recents.firstOf(snapshot, !this.readOnly);
    const last = this.#recent.at(-1);
    if (first >= snapshot.uidNext) return;
    const end = snapshot.uidNext - 1;
    if (last && first <= last[1] + 1) last[1] = end;
    else this.#recent.push([first, end]);
  }
}

export interface Opening {
  readonly readOnly: boolean;
  readonly recents: Recent;
}

/** Two ascending lists without common elements, as one; common ones once. */
function merge(a: number[], b: readonly number[]): number[] {
  if (b.length === 0) return a;
  if (a.length === 0) return [...b];
  const out: number[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const x = a[i] ?? Infinity;
    const y = b[j] ?? Infinity;
    out.push(Math.min(x, y));
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return out;
}
