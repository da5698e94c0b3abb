/**
 * The MailStore that both stores are: commits go through `commits.ts`, readers see what is durable. Where octets and
 * commits are put is the medium's business.
 */
import {
  BLOCK_SIZE,
  MailError,
  ascending,
  intersect,
  normalize,
  subtract,
  type Ability,
  type AccountId,
  type Change,
  type Clock,
  type Commit,
  type Cursor,
  type EmailId,
  type ExpungedInfo,
  type Limits,
  type Log,
  type MailStore,
  type MailboxId,
  type MailboxInfo,
  type MailboxSnapshot,
  type ModSeq,
  type Part,
  type Row,
  type Source,
  type Stage,
  type StageId,
  type StageOptions,
  type StoredRecord,
  type Uid,
  type UidRanges,
  type Write,
  lowerBound,
} from '@mail-server-kit/core';
import type { StoreBlock } from './block.ts';
import { blockFor, spans } from './blocks.ts';
import { Commits } from './commits.ts';
import type { Rules } from './delta.ts';
import { expungedBefore, expungedOf } from './expunged.ts';
import { Feed, type History } from './feed.ts';
import { compareKeys } from './keys.ts';
import { infoOf, snapshotOf, vanishedSince, type MailboxState } from './mailbox.ts';
import type { Medium } from './medium.ts';
import { emailNumber } from './names.ts';
import { cut, type Piece } from './pieces.ts';
import { isThere } from './plan-records.ts';
import { Repeats } from './repeats.ts';
import { World, type AccountState, type RecordState } from './world.ts';

export interface StoreOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly rules: Rules;
  readonly history?: History;
  /** What was there before, and the last position in it. */
  readonly world?: World;
  readonly lsn?: number;
  readonly repeats?: Repeats;
  /** How long expunged messages can be brought back. */
  readonly undeleteMs: number;
}

/** How often what is over is removed: records, which are not seen before that either, and expunged messages. */
const SWEEP_MS = 600_000;

export class StateStore implements MailStore {
  readonly abilities: ReadonlySet<Ability> = new Set<Ability>(['undelete']);
  readonly world: World;
  readonly repeats: Repeats;
  readonly #feed: Feed;
  readonly #commits: Commits;
  #closing: Promise<void> | undefined;
  #cancelSweep: () => void = () => {};

  constructor(
    protected readonly medium: Medium,
    protected readonly options: StoreOptions,
  ) {
    this.world = options.world ?? new World();
    this.repeats = options.repeats ?? new Repeats();
    this.#feed = new Feed(options.lsn ?? 0, options.history, options.log);
    const { world, repeats } = this;
    this.#commits = new Commits(medium, { ...options, world, repeats, feed: this.#feed });
    this.#sweepLater();
  }

  stage(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: StageOptions = {},
  ): Promise<Stage> {
    this.#open();
    return this.medium.stageOctets(octets, options);
  }

  async discard(stage: StageId): Promise<void> {
    this.medium.discard(stage);
  }

  commit(writes: readonly Write[], options: { id?: string } = {}): Promise<Commit> {
    if (this.#closing) return Promise.reject(closed());
    return this.#commits.commit(writes, options);
  }

  /** Takes up commits that wait, as far as there is room. */
  protected advance(): void {
    this.#commits.advance();
  }

  async mailboxes(
    account: AccountId,
    { shared = false }: { shared?: boolean } = {},
  ): Promise<readonly MailboxInfo[]> {
    const found = this.#mailboxesOf(this.#account(account));
    if (shared) {
      for (const id of this.world.shared) {
        const mailbox = this.world.mailboxes.get(id)?.durable;
        if (mailbox && mailbox.account !== account && maySee(mailbox, account)) found.push(mailbox);
      }
    }
    return found.map(infoOf).sort((a, b) => compareKeys(a.name, b.name));
  }

  #account(id: AccountId): AccountState {
    this.#open();
    const account = this.world.accounts.get(id)?.durable;
    if (!account || account.destroyed) throw new MailError('NONEXISTENT', 'No such account');
    return account;
  }

  #mailboxesOf(account: AccountState): MailboxState[] {
    return [...account.mailboxes.values()].flatMap(
      (id) => this.world.mailboxes.get(id)?.durable ?? [],
    );
  }

  async expunged(account: AccountId): Promise<readonly ExpungedInfo[]> {
    return expungedOf(this.world, this.#account(account).id);
  }

  async subscribedNames(account: AccountId): Promise<readonly string[]> {
    return this.#account(account).names;
  }

  async usage(
    account: AccountId,
  ): Promise<{ readonly used: Omit<Limits, 'messageOctets'>; readonly limits: Partial<Limits> }> {
    const { octets, messages, mailboxes, limits } = this.#account(account);
    return { used: { octets, messages, mailboxes: mailboxes.size }, limits };
  }

  async metadata(
    mailbox: MailboxId,
  ): Promise<readonly (readonly [entry: string, value: Uint8Array])[]> {
    return this.#mailbox(mailbox).metadata;
  }

  #mailbox(id: MailboxId): MailboxState {
    this.#open();
    const mailbox = this.world.mailboxes.get(id)?.durable;
    if (!mailbox) throw new MailError('NONEXISTENT', 'No such mailbox');
    return mailbox;
  }

  async open(mailbox: MailboxId): Promise<MailboxSnapshot> {
    return snapshotOf(this.#mailbox(mailbox));
  }

  async vanished(snapshot: MailboxSnapshot, since: ModSeq): Promise<UidRanges> {
    this.#open();
    const mailbox = this.world.mailboxes.get(snapshot.mailbox)?.durable;
    const there = uidsOf(snapshot);
    if (snapshot.uidNext === 1) return [];
    const notThere = subtract([[1 as Uid, (snapshot.uidNext - 1) as Uid]], there);
    if (!mailbox || since < mailbox.vanishedFrom) return notThere;
    // What went after the snapshot is still in it, and must not be told to its holder.
    return intersect(normalize(vanishedSince(mailbox, since).flat()), notThere);
  }

  async *fetch(
    snapshot: MailboxSnapshot,
    uids: UidRanges,
    parts: readonly Part[],
  ): AsyncGenerator<readonly Row[], void> {
    const blocks = snapshot.blocks as readonly StoreBlock[];
    const wanted = { account: snapshot.account, parts };
    const withIds = parts.includes('ids');
    let rows: Row[] = [];
    for (const { block: index, from, end } of spans(blocks, uids)) {
      const block = blocks[index] as StoreBlock;
      for (let i = from; i < end; i++) {
        this.#open();
        const { emailId, facts } = this.medium.facts(block, i, wanted);
        rows.push({
          uid: block.uid[i] as Uid,
          facts,
          ...(withIds && emailId !== undefined ? { emailId } : {}),
        });
        if (rows.length === BATCH) {
          yield rows;
          rows = [];
          await turn();
        }
      }
    }
    if (rows.length > 0) yield rows;
  }

  async *read(source: Source, start = 0, end = Infinity): AsyncGenerator<Uint8Array, void> {
    this.#open();
    for (const piece of cut(this.#pieces(source), Math.max(0, start), end)) {
      const bytes = await this.medium.octets(piece);
      yield bytes;
      if (bytes.length >= LARGE) await turn();
    }
  }

  #pieces(source: Source): readonly Piece[] {
    if ('stage' in source) {
      const stage = this.medium.stage(source.stage);
      if (!stage) throw new MailError('NONEXISTENT', 'Nothing is staged under this name');
      return stage.pieces;
    }
    if ('space' in source) {
      const record = this.#record(source.space, source.key);
      if (!record) throw new MailError('NONEXISTENT', 'No such record');
      return this.medium.recordBody(record.kept).content?.pieces ?? [];
    }
    const blocks = source.snapshot.blocks as readonly StoreBlock[];
    const block = blocks[blockFor(blocks, source.uid)];
    const row = block ? lowerBound(block.uid, source.uid) : 0;
    if (block?.uid[row] !== source.uid) throw new MailError('NONEXISTENT', 'No such message');
    return this.medium.message(block, row).pieces;
  }

  async locate(
    account: AccountId,
    emails: readonly EmailId[],
  ): Promise<
    readonly { readonly emailId: EmailId; readonly at: readonly (readonly [MailboxId, Uid])[] }[]
  > {
    const found = new Map(emails.map((id) => [id, [] as [MailboxId, Uid][]]));
    const wanted = new Map<number, EmailId[]>();
    for (const id of found.keys()) {
      const number = emailNumber(id);
      wanted.set(number, [...(wanted.get(number) ?? []), id]);
    }
    for (const mailbox of this.#mailboxesOf(this.#account(account))) {
      for (const block of mailbox.blocks) {
        for (let i = 0; i < block.email.length; i++) {
          const number = block.email[i] as number;
          const ids = wanted.get(number);
          if (!ids) continue;
          // Below zero it is a hash, and the message itself has to say who it is.
          const id =
            number > 0 ? ids[0] : this.medium.facts(block, i, { account, parts: ['ids'] }).emailId;
          found.get(id as EmailId)?.push([mailbox.id, block.uid[i] as Uid]);
        }
      }
    }
    return emails.map((emailId) => ({ emailId, at: found.get(emailId) ?? [] }));
  }

  async record(space: string, key: string): Promise<StoredRecord | undefined> {
    this.#open();
    const record = this.#record(space, key);
    return record && this.#stored(key, record);
  }

  #record(space: string, key: string): RecordState | undefined {
    const record = this.world.spaces.get(space)?.cells.get(key)?.durable;
    return record && isThere(record, this.options.clock.now()) ? record : undefined;
  }

  #stored(key: string, record: RecordState): StoredRecord {
    const { value } = this.medium.recordBody(record.kept);
    const { version, size } = record;
    return { key, value, version, ...(size === undefined ? {} : { size }) };
  }

  async *records(
    space: string,
    range: { from?: string; to?: string; limit?: number; reverse?: boolean } = {},
  ): AsyncGenerator<StoredRecord, void> {
    const { from, to, limit = Infinity, reverse = false } = range;
    let left = limit;
    let at = reverse ? to : from;
    let again = false;
    while (left > 0) {
      this.#open();
      const keys = this.world.spaces.get(space)?.keys;
      const page = (reverse ? keys?.pageBefore(at) : keys?.page(at, again)) ?? [];
      if (page.length === 0) return;
      for (const key of page) {
        if (reverse && from !== undefined && compareKeys(key, from) < 0) return;
        if (!reverse && to !== undefined && compareKeys(key, to) >= 0) return;
        const record = this.#record(space, key);
        if (!record) continue;
        yield this.#stored(key, record);
        if (--left <= 0) return;
      }
      at = page.at(-1);
      again = true;
    }
  }

  changes(
    since: Cursor | 'start' | 'now',
    scope: { account?: AccountId; space?: string } = {},
    signal?: AbortSignal,
  ): AsyncIterable<Change> {
    this.#open();
    return this.#feed.changes(since, scope, signal);
  }

  subscribe(
    scope: { accounts?: readonly AccountId[]; mailboxes?: readonly MailboxId[] },
    listener: (change: Change) => void,
  ): () => void {
    this.#open();
    return this.#feed.subscribe(scope, listener);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#cancelSweep();
    await this.#commits.close(closed);
    this.#feed.close();
    await this.medium.close();
  }

  #open(): void {
    if (this.#closing) throw closed();
  }

  #sweepLater(): void {
    this.#cancelSweep = this.options.clock.after(SWEEP_MS, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  /** Removes records whose time is over, and what was expunged long ago. */
  #sweep(): void {
    const now = this.options.clock.now();
    const writes: Write[] = [];
    for (const [space, { cells }] of this.world.spaces) {
      for (const [key, { head }] of cells) {
        if (head && !head.gone && !isThere(head, now)) {
          writes.push({ op: 'deleteRecord', space, key });
        }
      }
    }
    for (const id of this.world.hidden) {
      const hidden = this.world.mailboxes.get(id)?.head;
      const uids = hidden && expungedBefore(hidden, now - this.options.undeleteMs);
      if (uids && uids.length > 0) writes.push({ op: 'expunge', mailbox: id, uids });
    }
    if (writes.length === 0) return;
    this.commit(writes).catch((error: unknown) => {
      this.options.log({ level: 'warn', service: 'storage', event: 'sweep failed', error });
    });
  }
}

/** Octets whose checksum takes so long that others should get their turn. */
const LARGE = 65_536;

/** Rows that are looked up before others get their turn. */
const BATCH = BLOCK_SIZE / 4;

/** Lets others have the event loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const closed = () => new MailError('UNAVAILABLE', 'The store is closed');

/** RFC 4314 section 2.1: `l` is the right to see the mailbox in a list. */
const maySee = (mailbox: MailboxState, account: AccountId): boolean =>
  mailbox.acl.some(([who, rights]) => (who === account || who === ANYONE) && rights.includes('l'));

/** RFC 4314 section 2. */
const ANYONE = 'anyone' as AccountId;

const uidsOf = (snapshot: MailboxSnapshot): UidRanges =>
  normalize(snapshot.blocks.flatMap(({ uid }) => ascending(uid)));
