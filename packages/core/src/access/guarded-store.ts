import { MailError } from '../errors.ts';
import type { AccountId, Cursor, EmailId, MailboxId, ModSeq, StageId, Uid } from '../numbers.ts';
import type {
  Ability,
  Change,
  Commit,
  Limits,
  MailboxInfo,
  MailboxSnapshot,
  MailStore,
  Part,
  Query,
  Row,
  Source,
  Stage,
  StageOptions,
  StoredRecord,
  Write,
} from '../store.ts';
import type { UidRanges } from '../uidset.ts';
import { Actor, notAllowed, noSuchMailbox } from './actor.ts';
import { rightsOf, type AclCache } from './rights.ts';
import { checkWrites, onlyOwn } from './writes.ts';

/** The store as one account may use it. On its own mailboxes every call goes straight through. */
export class GuardedStore implements MailStore {
  readonly #store: MailStore;
  readonly #actor: Actor;
  readonly #mailboxId: () => MailboxId;
  /** What was staged through it. The names are easily guessed, and the octets of others are none of its business. */
  readonly #stages = new Set<StageId>();
  readonly search?: NonNullable<MailStore['search']>;
  readonly expunged?: NonNullable<MailStore['expunged']>;

  constructor(store: MailStore, actor: AccountId, acls: AclCache, mailboxId: () => MailboxId) {
    this.#store = store;
    this.#actor = new Actor(actor, acls);
    this.#mailboxId = mailboxId;
    // A store without it has to be seen as one without it.
    if (store.search) this.search = (...query) => this.#search(...query);
    if (store.expunged) {
      this.expunged = async (account) => {
        this.#onlySelf(account);
        return this.#actor.expunged();
      };
    }
  }

  get abilities(): ReadonlySet<Ability> {
    return this.#store.abilities;
  }

  async stage(
    octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: StageOptions,
  ): Promise<Stage> {
    const staged = await this.#store.stage(octets, options);
    this.#stages.add(staged.stage);
    return staged;
  }

  async discard(stage: StageId): Promise<void> {
    this.#stages.delete(stage);
    await this.#store.discard(stage);
  }

  async commit(writes: readonly Write[], options?: { id?: string }): Promise<Commit> {
    const commit = await this.#commit(writes, options);
    for (const stage of stagesOf(writes)) this.#stages.delete(stage);
    return commit;
  }

  async #commit(writes: readonly Write[], options?: { id?: string }): Promise<Commit> {
    const actor = this.#actor;
    if (!onlyOwn(writes, actor)) {
      const checked = await checkWrites(writes, {
        store: this.#store,
        actor,
        mailboxId: this.#mailboxId,
      });
      if (checked) return checked.commit(options);
    }
    const commit = await this.#store.commit(writes, options);
    writes.forEach(({ op }, index) => {
      const made = commit.results[index]?.mailbox;
      if (op === 'createMailbox' && made !== undefined) actor.learn(made);
    });
    return commit;
  }

  async mailboxes(
    account: AccountId,
    options: { shared?: boolean } = {},
  ): Promise<readonly MailboxInfo[]> {
    const me = this.#actor.id;
    if (account === me && !options.shared) {
      const own = await this.#store.mailboxes(account, options);
      for (const { id } of own) this.#actor.learn(id);
      return own;
    }
    const all = (await this.#actor.visible()).filter(
      (info) => account === me || info.account === account,
    );
    // An account that shares nothing is not told from one that is not there.
    if (all.length === 0) throw noSuchMailbox();
    return all.map((info) => (rightsOf(info, me).includes('r') ? info : withoutStatus(info)));
  }

  async subscribedNames(account: AccountId): Promise<readonly string[]> {
    this.#onlySelf(account);
    return this.#store.subscribedNames(account);
  }

  async usage(
    account: AccountId,
  ): Promise<{ readonly used: Omit<Limits, 'messageOctets'>; readonly limits: Partial<Limits> }> {
    this.#onlySelf(account);
    return this.#store.usage(account);
  }

  async metadata(
    mailbox: MailboxId,
  ): Promise<readonly (readonly [entry: string, value: Uint8Array])[]> {
    if (this.#actor.owns(mailbox)) return this.#store.metadata(mailbox);
    const { owner, rights } = await this.#actor.find(mailbox);
    if (!/[rswip]/.test(rights)) throw notAllowed();
    const entries = await this.#store.metadata(mailbox);
    // What the owner notes for himself stays his (RFC 5464 section 3.3).
    return owner
      ? entries
      : entries.filter(([entry]) => !entry.toLowerCase().startsWith('/private/'));
  }

  async open(mailbox: MailboxId, previous?: MailboxSnapshot): Promise<MailboxSnapshot> {
    if (this.#actor.owns(mailbox)) return this.#store.open(mailbox, previous);
    await this.#actor.need(mailbox, 'r');
    return this.#store.open(mailbox, previous);
  }

  async vanished(snapshot: MailboxSnapshot, since: ModSeq): Promise<UidRanges> {
    await this.#mayRead(snapshot);
    return this.#store.vanished(snapshot, since);
  }

  fetch(
    snapshot: MailboxSnapshot,
    uids: UidRanges,
    parts: readonly Part[],
  ): AsyncIterable<readonly Row[]> {
    const rows = () => this.#store.fetch(snapshot, uids, parts);
    return snapshot.account === this.#actor.id ? rows() : this.#afterwards(snapshot, rows);
  }

  read(source: Source, start?: number, end?: number): AsyncIterable<Uint8Array> {
    if ('stage' in source) {
      return this.#stages.has(source.stage) ? this.#store.read(source, start, end) : notStaged();
    }
    const snapshot = 'snapshot' in source ? source.snapshot : undefined;
    const octets = () => this.#store.read(source, start, end);
    return snapshot?.account === this.#actor.id ? octets() : this.#afterwards(snapshot, octets);
  }

  async #search(snapshot: MailboxSnapshot, query: Query, among?: UidRanges): Promise<UidRanges> {
    await this.#mayRead(snapshot);
    return this.#store.search?.(snapshot, query, among) ?? [];
  }

  async locate(account: AccountId, emails: readonly EmailId[]): ReturnType<MailStore['locate']> {
    const found = await this.#store.locate(account, emails);
    if (account === this.#actor.id) return found;
    const readable = new Set<MailboxId>();
    for (const info of await this.#actor.visible()) {
      if (rightsOf(info, this.#actor.id).includes('r')) readable.add(info.id);
    }
    return found
      .map(({ emailId, at }) => ({
        emailId,
        at: at.filter(([mailbox]: readonly [MailboxId, Uid]) => readable.has(mailbox)),
      }))
      .filter(({ at }) => at.length > 0);
  }

  async record(): Promise<never> {
    throw notAllowed();
  }

  records(): AsyncIterable<StoredRecord> {
    return refusing();
  }

  changes(
    since: Cursor | 'start' | 'now',
    scope: { account?: AccountId; space?: string } = {},
    signal?: AbortSignal,
  ): AsyncIterable<Change> {
    if (scope.account !== this.#actor.id || scope.space !== undefined) return refusing();
    return this.#store.changes(since, scope, signal);
  }

  subscribe(
    scope: { accounts?: readonly AccountId[]; mailboxes?: readonly MailboxId[] },
    listener: (change: Change) => void,
  ): () => void {
    const actor = this.#actor;
    const everything = !scope.accounts && !scope.mailboxes;
    return this.#store.subscribe(everything ? { accounts: [actor.id] } : scope, (change) => {
      const own = change.mailbox !== undefined && actor.owns(change.mailbox);
      if (own || change.account === actor.id) listener(change);
      else if (change.mailbox !== undefined) {
        // Somebody who may no longer look hears no more.
        void actor.need(change.mailbox, 'l').then(
          () => listener(change),
          () => {},
        );
      }
    });
  }

  /** The store goes on: it belongs to whoever opened it. */
  async close(): Promise<void> {}

  #onlySelf(account: AccountId): void {
    if (account !== this.#actor.id) throw notAllowed();
  }

  async #mayRead(snapshot: MailboxSnapshot | undefined): Promise<void> {
    if (snapshot?.account === this.#actor.id) return;
    if (!snapshot) throw notAllowed();
    await this.#actor.need(snapshot.mailbox, 'r');
  }

  async *#afterwards<Value>(
    snapshot: MailboxSnapshot | undefined,
    values: () => AsyncIterable<Value>,
  ): AsyncGenerator<Value, void> {
    await this.#mayRead(snapshot);
    yield* values();
  }
}

/** What LIST may tell, without what takes the right to STATUS (RFC 4314 section 4). */
function withoutStatus(info: MailboxInfo): MailboxInfo {
  return { ...info, messages: 0, unseen: 0, deleted: 0, octets: 0, limits: {} };
}

function* stagesOf(writes: readonly Write[]): Generator<StageId, void> {
  for (const write of writes) {
    const content = ('content' in write && write.content) || [];
    for (const slice of content) if ('stage' in slice) yield slice.stage;
  }
}

async function* notStaged(): AsyncGenerator<never, void> {
  throw new MailError('NONEXISTENT', 'Nothing is staged under this name');
}

async function* refusing(): AsyncGenerator<never, void> {
  throw notAllowed();
}
