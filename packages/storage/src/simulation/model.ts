/**
 * What a commit does to a world, written from the words of the contract. It shares no code with the stores.
 */
import type {
  AccountId,
  Commit,
  Content,
  EmailId,
  Limits,
  MailboxId,
  ModSeq,
  NewMessage,
  Reason,
  StageId,
  Uid,
  UidRanges,
  UidValidity,
  Write,
  WriteResult,
} from '@mail-server-kit/core';
import {
  recordName,
  isThere,
  sum,
  rangesOf,
  isIn,
  usedBy,
  octetsIn,
  octetsOf,
  type ModelMessage,
  type ModelMailbox,
  type ModelAccount,
  type ModelRecord,
  type ModelWorld,
} from './model-world.ts';

/** Why a commit must not be made. */
export class Refusal extends Error {
  constructor(
    readonly code: Reason,
    readonly write: number,
  ) {
    super(`${code} because of write ${write}`);
  }
}

/** What a put gave to a record that was not there, by the index of the write: above all that it had before. */
export type Versions = ReadonlyMap<number, number>;

/** Staged octets by stage. */
export type Stages = ReadonlyMap<StageId, Buffer>;

export interface Outcome {
  readonly world: ModelWorld;
  readonly results: Commit['results'];
  /** What the stream tells of it: each place once, as `changeLine` writes it. */
  readonly changes: ReadonlySet<string>;
  /** It does something, though perhaps nothing that is told. */
  readonly touched: boolean;
}

/** @throws Refusal; TypeError is not foreseen */
export function commitTo(
  world: ModelWorld,
  writes: readonly Write[],
  stages: Stages,
  now: number,
  versions: Versions = new Map(),
): Outcome {
  const draft = new Draft(world, stages, now, versions);
  const results = writes.map((write, index) => {
    draft.index = index;
    return draft.write(write);
  });
  const { changes } = draft;
  return { world: draft.world, results, changes, touched: draft.silent || changes.size > 0 };
}

type WriteOf<Op extends Write['op']> = Extract<Write, { readonly op: Op }>;

class Draft {
  readonly #accounts: Map<AccountId, ModelAccount>;
  readonly #mailboxes: Map<MailboxId, ModelMailbox>;
  readonly #expunged: Map<MailboxId, ModelMailbox>;
  readonly #records: Map<string, ModelRecord>;
  readonly #sealed: boolean;
  /** Messages that came with this commit, by mailbox and uid: nobody has seen them. */
  readonly #fresh = new Set<string>();
  /** Something was done that is not told. */
  silent = false;
  readonly changes = new Set<string>();
  #uidValidity: number;
  #mailbox: number;
  #email: number;
  /** Of the write that is being done. */
  index = 0;

  constructor(
    before: ModelWorld,
    readonly stages: Stages,
    readonly now: number,
    readonly versions: Versions,
  ) {
    this.#accounts = new Map(before.accounts);
    this.#mailboxes = new Map(before.mailboxes);
    this.#expunged = new Map(before.expunged);
    this.#records = new Map(before.records);
    this.#sealed = before.sealed;
    this.#uidValidity = before.uidValidity;
    this.#mailbox = before.mailbox;
    this.#email = before.email;
  }

  get world(): ModelWorld {
    return {
      accounts: this.#accounts,
      mailboxes: this.#mailboxes,
      expunged: this.#expunged,
      sealed: this.#sealed,
      records: this.#records,
      uidValidity: this.#uidValidity,
      mailbox: this.#mailbox,
      email: this.#email,
    };
  }

  #refuse(code: Reason): never {
    throw new Refusal(code, this.index);
  }

  write(write: Write): WriteResult {
    switch (write.op) {
      case 'append':
        return this.#append(this.#get(write.mailbox), write);
      case 'store':
        return this.#store(write);
      case 'copy':
      case 'move':
        return this.#transfer(write);
      case 'expunge':
        return this.#expunge(write);
      case 'replace':
        return this.#replace(write);
      case 'createMailbox':
        return this.#createMailbox(write);
      case 'renameMailbox':
        return this.#rename(write);
      case 'deleteMailbox':
        return this.#delete(write);
      case 'setMailbox':
        return this.#setMailbox(write);
      case 'createAccount':
        return this.#createAccount(write);
      case 'destroyAccount':
        return this.#destroyAccount(write);
      case 'setAccount': {
        const account = this.#account(write.account);
        this.#put(account, { limits: { ...account.limits, ...write.limits } });
        this.#tellAccount(account.id);
        return {};
      }
      case 'subscribeName':
        return this.#subscribeName(write);
      case 'putRecord':
        return this.#putRecord(write);
      case 'deleteRecord':
        return this.#deleteRecord(write);
      case 'expectRecord': {
        const record = this.#records.get(recordName(write.space, write.key));
        const version = isThere(record, this.now) ? record.version : 0;
        return version === write.version ? { version } : this.#refuse('CONFLICT');
      }
      case 'undelete':
        return this.#undelete(write);
      case 'expectMailbox': {
        const { highestModSeq: modSeq } = this.#get(write.mailbox);
        return modSeq <= write.modSeq ? { modSeq } : this.#refuse('CONFLICT');
      }
    }
  }

  // What is there, and what is told of it.

  #account(id: AccountId): ModelAccount {
    const account = this.#accounts.get(id);
    return account && !account.destroyed ? account : this.#refuse('NONEXISTENT');
  }

  #get(id: MailboxId): ModelMailbox {
    return this.#mailboxes.get(id) ?? this.#refuse('NONEXISTENT');
  }

  #named(account: AccountId, name: string): ModelMailbox | undefined {
    return this.#of(account).find((mailbox) => mailbox.name === name);
  }

  #of(account: AccountId): ModelMailbox[] {
    return [...this.#mailboxes.values()].filter((mailbox) => mailbox.account === account);
  }

  #put(account: ModelAccount, change: Partial<ModelAccount>): void {
    this.#accounts.set(account.id, { ...account, ...change });
  }

  #set(id: MailboxId, change: Partial<ModelMailbox>): void {
    this.#mailboxes.set(id, { ...this.#get(id), ...change });
  }

  #nextModSeq(id: AccountId): ModSeq {
    const account = this.#account(id);
    const modSeq = (account.modSeq + 1) as ModSeq;
    this.#put(account, { modSeq });
    return modSeq;
  }

  #tellAccount(account: AccountId): void {
    this.changes.add(changeLine({ kind: 'account', account }));
  }

  #tellMailbox({ id, account }: ModelMailbox): void {
    this.changes.add(changeLine({ kind: 'mailbox', account, mailbox: id }));
  }

  #tellMessages({ id, account }: ModelMailbox): void {
    this.changes.add(changeLine({ kind: 'messages', account, mailbox: id }));
  }

  #tellRecord({ space, key, account }: ModelRecord): void {
    // A record that changed hands in one commit is told of once, of its last owner.
    for (const line of this.changes) {
      if (line.startsWith(changeLine({ kind: 'record', space, key }))) this.changes.delete(line);
    }
    this.changes.add(changeLine({ kind: 'record', space, key, ...(account ? { account } : {}) }));
  }

  // Quota.

  #charge(id: AccountId, more: Partial<Omit<Limits, 'messageOctets'>>): void {
    const { limits } = this.#account(id);
    const used = usedBy(this.world, id);
    for (const name of ['octets', 'messages', 'mailboxes'] as const) {
      const adds = more[name] ?? 0;
      if (adds > 0 && used[name] + adds > (limits[name] ?? Infinity)) this.#refuse('OVERQUOTA');
    }
  }

  #chargeMailbox(mailbox: ModelMailbox, octets: number, messages: number): void {
    const { limits } = mailbox;
    const size = octetsIn(mailbox);
    if (octets > 0 && size + octets > (limits.octets ?? Infinity)) this.#refuse('OVERQUOTA');
    const count = mailbox.messages.length + messages;
    if (messages > 0 && count > (limits.messages ?? Infinity)) this.#refuse('OVERQUOTA');
  }

  // Messages.

  #content(content: Content): Buffer {
    const parts = content.map((slice): Buffer => {
      if (slice instanceof Uint8Array) return Buffer.from(slice);
      const whole = 'stage' in slice ? this.#staged(slice.stage) : this.#body(slice);
      return whole.subarray(slice.start ?? 0, slice.end ?? whole.length);
    });
    return Buffer.concat(parts);
  }

  #staged(stage: StageId): Buffer {
    return this.stages.get(stage) ?? this.#refuse('UNAVAILABLE');
  }

  #body({ mailbox, uid }: { mailbox: MailboxId; uid: Uid }): Buffer {
    const found = this.#get(mailbox).messages.find((message) => message.uid === uid);
    return found?.body ?? this.#refuse('NONEXISTENT');
  }

  #append(
    mailbox: ModelMailbox,
    message: NewMessage,
    replaced?: { readonly mailbox: ModelMailbox; readonly size: number },
  ): WriteResult {
    const body = this.#content(message.content);
    const { account } = mailbox;
    if (body.length > (this.#account(account).limits.messageOctets ?? Infinity)) {
      this.#refuse('TOOBIG');
    }
    const instead = replaced && body.length - replaced.size;
    if (instead !== undefined && replaced?.mailbox.account === account) {
      this.#charge(account, { octets: instead });
    } else this.#charge(account, { octets: body.length, messages: 1 });
    if (instead !== undefined && replaced?.mailbox.id === mailbox.id) {
      this.#chargeMailbox(mailbox, instead, 0);
    } else this.#chargeMailbox(mailbox, body.length, 1);
    const modSeq = this.#nextModSeq(account);
    const emailId = message.emailId ?? this.#nextEmailId();
    const own = /^M(\d+)$/.exec(emailId);
    // The store never gives an id that was given to it.
    if (own) this.#email = Math.max(this.#email, Number(own[1]));
    const uid = mailbox.uidNext;
    const added: ModelMessage = {
      ...{ uid, body, modSeq, emailId },
      flags: [...new Set(message.flags)].sort(),
      preview: message.facts.preview,
      internalDate: message.internalDate,
      internalZone: message.internalZone ?? 0,
      saveDate: message.saveDate ?? this.now,
    };
    this.#add(mailbox.id, [added], modSeq);
    this.#fresh.add(`${mailbox.id} ${uid}`);
    return { modSeq, mailbox: mailbox.id, uidValidity: mailbox.uidValidity, uid, emailId };
  }

  #nextEmailId(): EmailId {
    return `M${++this.#email}` as EmailId;
  }

  #add(id: MailboxId, added: readonly ModelMessage[], modSeq: ModSeq): void {
    const mailbox = this.#get(id);
    const uidNext = (mailbox.uidNext + added.length) as Uid;
    const messages = [...mailbox.messages, ...added];
    this.#set(id, { messages, uidNext, highestModSeq: modSeq });
    this.#tellMessages(mailbox);
  }

  /** `keep`: they can be brought back. */
  #remove(id: MailboxId, uids: readonly Uid[], modSeq: ModSeq, keep: boolean): void {
    const mailbox = this.#get(id);
    if (keep) this.#keep(mailbox, uids, modSeq);
    const gone = new Set(uids);
    this.#set(id, {
      messages: mailbox.messages.filter(({ uid }) => !gone.has(uid)),
      vanished: [...mailbox.vanished, ...uids.map((uid) => ({ uid, modSeq }))],
      highestModSeq: modSeq,
    });
    this.#tellMessages(mailbox);
  }

  #keep(source: ModelMailbox, uids: readonly Uid[], modSeq: ModSeq): void {
    const taken = source.messages.filter(
      ({ uid }) => uids.includes(uid) && !this.#fresh.has(`${source.id} ${uid}`),
    );
    if (taken.length === 0) return;
    const id = `~${source.id}` as MailboxId;
    const hidden = this.#expunged.get(id) ?? {
      ...{ ...source, id, messages: [], vanished: [], uidNext: 1 as Uid },
      ...{ subscribed: false, specialUse: undefined, limits: {} },
      ...{ acl: new Map(), metadata: new Map() },
    };
    const added = taken.map((message, i) => ({
      ...{ ...message, uid: (hidden.uidNext + i) as Uid, modSeq, saveDate: this.now },
    }));
    this.#expunged.set(id, {
      ...{ ...hidden, name: source.name, highestModSeq: modSeq },
      messages: [...hidden.messages, ...added],
      uidNext: (hidden.uidNext + added.length) as Uid,
    });
  }

  #dropHidden(hidden: ModelMailbox, uids: readonly Uid[]): void {
    const messages = hidden.messages.filter(({ uid }) => !uids.includes(uid));
    const mailbox = hidden.id.slice(1) as MailboxId;
    // Its uids go on as long as something may still come.
    if (messages.length === 0 && !this.#mailboxes.has(mailbox)) this.#expunged.delete(hidden.id);
    else this.#expunged.set(hidden.id, { ...hidden, messages });
    this.silent = true;
  }

  #undelete({ mailbox: id, uids, to }: WriteOf<'undelete'>): WriteResult {
    if (!id.startsWith('~')) this.#refuse('CANNOT');
    const hidden = this.#expunged.get(id) ?? this.#refuse('NONEXISTENT');
    const target = this.#get(to ?? (id.slice(1) as MailboxId));
    const taken = hidden.messages.filter(({ uid }) => isIn(uids, uid));
    if (taken.length === 0) return {};
    const octets = sum(taken.map(({ body }) => body.length));
    this.#charge(target.account, { octets, messages: taken.length });
    this.#chargeMailbox(target, octets, taken.length);
    const modSeq = this.#nextModSeq(target.account);
    const first = target.uidNext;
    const back = taken.map((message, i) => ({
      ...{ ...message, uid: (first + i) as Uid, modSeq, saveDate: this.now },
      flags: message.flags.filter((flag) => flag !== '\\Deleted'),
    }));
    this.#add(target.id, back, modSeq);
    if (this.#sealed && hidden.account !== target.account) {
      for (const { uid } of back) this.#fresh.add(`${target.id} ${uid}`);
    }
    const from = taken.map(({ uid }) => uid);
    this.#dropHidden(hidden, from);
    const copies = {
      from: rangesOf(from),
      to: [[first, (first + taken.length - 1) as Uid]] as const,
    };
    return { mailbox: target.id, uidValidity: target.uidValidity, copies, modSeq };
  }

  #store(write: WriteOf<'store'>): WriteResult {
    const mailbox = this.#get(write.mailbox);
    const named = mailbox.messages.filter(({ uid }) => isIn(write.uids, uid));
    const since = write.unchangedSince ?? Infinity;
    const conflicts = named.filter(({ modSeq }) => modSeq > since).map(({ uid }) => uid);
    const result = conflicts.length > 0 ? { conflicts: rangesOf(conflicts) } : {};
    const changed = new Map<Uid, string[]>();
    for (const { uid, modSeq, flags } of named) {
      if (modSeq > since) continue;
      const after = new Set(write.set ?? flags.filter((flag) => !write.remove?.includes(flag)));
      for (const flag of write.add ?? []) after.add(flag);
      const sorted = [...after].sort();
      if (sorted.join(' ') !== flags.join(' ')) changed.set(uid, sorted);
    }
    if (changed.size === 0) return result;
    const modSeq = this.#nextModSeq(mailbox.account);
    const messages = mailbox.messages.map((message) => {
      const flags = changed.get(message.uid);
      return flags ? { ...message, flags, modSeq } : message;
    });
    this.#set(mailbox.id, { messages, highestModSeq: modSeq });
    this.#tellMessages(mailbox);
    return { ...result, modSeq };
  }

  #transfer({ op, mailbox: id, uids, to }: WriteOf<'copy' | 'move'>): WriteResult {
    const source = this.#get(id);
    const target = this.#get(to);
    return this.#carry(source, target, uids, op === 'move');
  }

  #carry(source: ModelMailbox, target: ModelMailbox, uids: UidRanges, move: boolean): WriteResult {
    const taken = source.messages.filter(({ uid }) => isIn(uids, uid));
    if (taken.length === 0) return {};
    const octets = sum(taken.map(({ body }) => body.length));
    if (!move || source.account !== target.account) {
      this.#charge(target.account, { octets, messages: taken.length });
    }
    if (!move || source.id !== target.id) this.#chargeMailbox(target, octets, taken.length);
    const modSeq = this.#nextModSeq(target.account);
    const first = target.uidNext;
    this.#add(
      target.id,
      taken.map((message, i) => ({
        ...{ ...message, uid: (first + i) as Uid, modSeq, saveDate: this.now },
      })),
      modSeq,
    );
    const from = taken.map(({ uid }) => uid);
    const again = this.#sealed && source.account !== target.account;
    for (const [i, uid] of from.entries()) {
      const fresh = again || this.#fresh.has(`${source.id} ${uid}`);
      if (fresh) this.#fresh.add(`${target.id} ${first + i}`);
    }
    const result = {
      mailbox: target.id,
      uidValidity: target.uidValidity,
      copies: { from: rangesOf(from), to: [[first, (first + taken.length - 1) as Uid]] as const },
    };
    if (!move) return { ...result, modSeq };
    // Within one account it leaves and arrives at once.
    const left = source.account === target.account ? modSeq : this.#nextModSeq(source.account);
    this.#remove(source.id, from, left, false);
    return { ...result, modSeq: left, expunged: rangesOf(from) };
  }

  #expunge({ mailbox: id, uids, onlyDeleted }: WriteOf<'expunge'>): WriteResult {
    const hidden = this.#expunged.get(id);
    const mailbox = hidden ?? this.#get(id);
    const gone = mailbox.messages
      .filter(({ uid }) => isIn(uids, uid))
      .filter(({ flags }) => !onlyDeleted || flags.includes('\\Deleted'))
      .map(({ uid }) => uid);
    if (hidden) return this.#removeForGood(hidden, gone);
    if (gone.length === 0) return { expunged: [] };
    const modSeq = this.#nextModSeq(mailbox.account);
    this.#remove(id, gone, modSeq, true);
    return { expunged: rangesOf(gone), modSeq };
  }

  /** Not what was expunged in the last ten minutes: snapshots may be read for so long. */
  #removeForGood(hidden: ModelMailbox, uids: readonly Uid[]): WriteResult {
    const old = hidden.messages
      .filter(({ uid, saveDate }) => uids.includes(uid) && saveDate < this.now - 600_000)
      .map(({ uid }) => uid);
    if (old.length > 0) this.#dropHidden(hidden, old);
    return { expunged: rangesOf(old) };
  }

  #replace(write: WriteOf<'replace'>): WriteResult {
    const source = this.#get(write.mailbox);
    const target = this.#get(write.to);
    const old = source.messages.find(({ uid }) => uid === write.uid) ?? this.#refuse('NONEXISTENT');
    const result = this.#append(target, write, { mailbox: source, size: old.body.length });
    const modSeq = this.#nextModSeq(source.account);
    this.#remove(source.id, [old.uid], modSeq, true);
    return { ...result, modSeq, expunged: rangesOf([old.uid]) };
  }

  // Mailboxes.

  #createMailbox(write: WriteOf<'createMailbox'>): WriteResult {
    const account = this.#account(write.account);
    if (this.#named(account.id, write.name)) this.#refuse('ALREADYEXISTS');
    this.#charge(account.id, { mailboxes: 1 });
    return this.#make(account.id, write.name, {
      subscribed: write.subscribed ?? account.names.has(write.name),
      specialUse: write.specialUse,
      ...(write.mailboxId === undefined ? {} : { id: write.mailboxId }),
      ...(write.uidValidity === undefined ? {} : { uidValidity: write.uidValidity }),
    });
  }

  #make(account: AccountId, name: string, wanted: Partial<ModelMailbox>): WriteResult {
    if (wanted.id !== undefined) {
      // What was expunged under this id may be somebody else's.
      const hidden = this.#expunged.get(`~${wanted.id}` as MailboxId);
      const taken = hidden !== undefined && hidden.account !== account;
      if (taken || this.#mailboxes.has(wanted.id)) this.#refuse('ALREADYEXISTS');
    }
    const id = wanted.id ?? (`B${++this.#mailbox}` as MailboxId);
    const uidValidity = wanted.uidValidity ?? ((this.#uidValidity + 1) as UidValidity);
    this.#uidValidity = Math.max(this.#uidValidity, uidValidity);
    this.#forgetName(account, name);
    const modSeq = this.#nextModSeq(account);
    const made: ModelMailbox = {
      ...{ specialUse: undefined, subscribed: false, ...wanted },
      ...{ id, account, name, uidValidity, highestModSeq: modSeq, uidNext: 1 as Uid },
      ...{ acl: new Map(), metadata: new Map(), limits: {}, messages: [], vanished: [] },
    };
    this.#mailboxes.set(id, made);
    this.#tellMailbox(made);
    return { mailbox: id, uidValidity, modSeq };
  }

  #rename({ mailbox: id, name }: WriteOf<'renameMailbox'>): WriteResult {
    const mailbox = this.#get(id);
    const { account } = mailbox;
    if (name === mailbox.name) return { mailbox: id };
    if (this.#named(account, name)) this.#refuse('ALREADYEXISTS');
    if (mailbox.name === 'INBOX') return this.#renameInbox(mailbox, name);
    if (name.startsWith(`${mailbox.name}/`)) this.#refuse('CANNOT');
    const children = this.#of(account).filter((each) => each.name.startsWith(`${mailbox.name}/`));
    const renamed = [mailbox, ...children].map((each) => ({
      ...each,
      name: name + each.name.slice(mailbox.name.length),
    }));
    if (renamed.some((each) => this.#named(account, each.name))) this.#refuse('ALREADYEXISTS');
    for (const each of renamed) {
      this.#mailboxes.set(each.id, each);
      this.#forgetName(account, each.name);
      this.#tellMailbox(each);
    }
    return { mailbox: id };
  }

  #renameInbox(inbox: ModelMailbox, name: string): WriteResult {
    const { account, subscribed } = inbox;
    this.#charge(account, { mailboxes: 1 });
    const made = this.#make(account, name, { subscribed });
    const target = this.#get(made.mailbox as MailboxId);
    const all = [[1 as Uid, inbox.uidNext]] as const;
    return { ...made, ...this.#carry(inbox, target, all, true) };
  }

  #delete({ mailbox: id }: WriteOf<'deleteMailbox'>): WriteResult {
    const mailbox = this.#get(id);
    if (mailbox.name === 'INBOX') this.#refuse('CANNOT');
    const modSeq = this.#nextModSeq(mailbox.account);
    const all = mailbox.messages.map(({ uid }) => uid);
    this.#keep(mailbox, all, modSeq);
    this.#mailboxes.delete(id);
    this.#tellMailbox(mailbox);
    if (mailbox.subscribed) this.#keepName(mailbox.account, mailbox.name);
    return { mailbox: id, modSeq };
  }

  #setMailbox(write: WriteOf<'setMailbox'>): WriteResult {
    const mailbox = this.#get(write.mailbox);
    const acl = new Map(mailbox.acl);
    for (const [who, rights] of write.acl ?? []) {
      if (rights === null) acl.delete(who);
      else acl.set(who, rights);
    }
    const metadata = new Map(mailbox.metadata);
    for (const [entry, value] of write.metadata ?? []) {
      if (value === null) metadata.delete(entry);
      else metadata.set(entry, Buffer.from(value));
    }
    const limits: { octets?: number; messages?: number } = { ...mailbox.limits };
    for (const name of ['octets', 'messages'] as const) {
      const limit = write.limits?.[name];
      if (limit === null) delete limits[name];
      else if (limit !== undefined) limits[name] = limit;
    }
    this.#set(mailbox.id, {
      ...{ acl, metadata, limits },
      ...(write.subscribed === undefined ? {} : { subscribed: write.subscribed }),
      ...(write.specialUse === undefined ? {} : { specialUse: write.specialUse ?? undefined }),
    });
    this.#tellMailbox(mailbox);
    return { mailbox: mailbox.id };
  }

  #subscribeName({ account: id, name, subscribed }: WriteOf<'subscribeName'>): WriteResult {
    const account = this.#account(id);
    const mailbox = this.#named(account.id, name);
    if (mailbox) {
      this.#set(mailbox.id, { subscribed });
      this.#tellMailbox(mailbox);
    } else if (subscribed) this.#keepName(id, name);
    else this.#forgetName(id, name);
    return {};
  }

  #keepName(id: AccountId, name: string): void {
    const account = this.#account(id);
    if (account.names.has(name)) return;
    this.#put(account, { names: new Set([...account.names, name]) });
    this.#tellAccount(id);
  }

  #forgetName(id: AccountId, name: string): void {
    const account = this.#account(id);
    if (!account.names.has(name)) return;
    this.#put(account, { names: new Set([...account.names].filter((each) => each !== name)) });
    this.#tellAccount(id);
  }

  // Accounts and records.

  #createAccount({ account: id, limits = {} }: WriteOf<'createAccount'>): WriteResult {
    if (this.#accounts.has(id)) this.#refuse('ALREADYEXISTS');
    const names = new Set<string>();
    this.#accounts.set(id, { id, destroyed: false, modSeq: 0 as ModSeq, limits, names });
    this.#tellAccount(id);
    return this.#make(id, 'INBOX', { subscribed: true });
  }

  #destroyAccount({ account: id }: WriteOf<'destroyAccount'>): WriteResult {
    const account = this.#account(id);
    for (const [name, record] of this.#records) {
      if (record.account !== id || record.value === undefined) continue;
      this.#tellRecord(record);
      this.#records.set(name, gone(record));
    }
    for (const mailbox of this.#of(id)) this.#mailboxes.delete(mailbox.id);
    for (const hidden of [...this.#expunged.values()]) {
      if (hidden.account === id) this.#expunged.delete(hidden.id);
    }
    this.#put(account, { destroyed: true });
    this.#tellAccount(id);
    return {};
  }

  #putRecord(write: WriteOf<'putRecord'>): WriteResult {
    const { space, key, account, expires } = write;
    const content = write.content && this.#content(write.content);
    const before = this.#records.get(recordName(space, key));
    const value = Buffer.from(write.value);
    const least = (before?.version ?? 0) + 1;
    // The store remembers how far the versions of a space had come, not each that is gone.
    const given = before?.value === undefined ? (this.versions.get(this.index) ?? 0) : 0;
    const version = Math.max(least, given);
    const record: ModelRecord = { space, key, version, value, content, expires, account };
    if (account !== undefined) {
      const had = before?.account === account ? octetsOf(before) : 0;
      this.#charge(account, { octets: octetsOf(record) - had });
    }
    this.#records.set(recordName(space, key), record);
    this.#tellRecord(record);
    return { version };
  }

  #deleteRecord({ space, key }: WriteOf<'deleteRecord'>): WriteResult {
    const record = this.#records.get(recordName(space, key));
    if (record?.value === undefined) return {};
    this.#tellRecord(record);
    this.#records.set(recordName(space, key), gone(record));
    return { version: record.version };
  }
}

const gone = (record: ModelRecord): ModelRecord => ({
  ...record,
  ...{ value: undefined, content: undefined, expires: undefined, account: undefined },
});

/** A change of the stream, without when. */
export function changeLine(change: {
  readonly kind: string;
  readonly account?: AccountId;
  readonly mailbox?: MailboxId;
  readonly space?: string;
  readonly key?: string;
}): string {
  const { kind, account = '', mailbox = '', space = '', key = '' } = change;
  return `${kind} ${mailbox} ${space}/${key} ${account}`;
}
