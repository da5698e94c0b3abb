/** Clients that read: what they get is what was durable when they asked, whatever is written meanwhile. */
import { isDeepStrictEqual } from 'node:util';
import {
  isMailError,
  type EmailId,
  type MailStore,
  type MailboxSnapshot,
  type ModSeq,
  type Row,
  type Uid,
} from '@mail-server-kit/core';
import type { SeededRandom } from '@mail-server-kit/core/testing';
import { factsFor, flagsOf } from '../contract/given.ts';
import { Difference, type Ledger } from './ledger.ts';
import { isIn, recordName, usedBy, isThere, type ModelMailbox } from './model-world.ts';
import { pickMailbox, someUids, type Scene } from './operations.ts';
import { bytesOf, digestOf, lineOfInfo, infoOf, isVisible, recordsOf, spaces } from './view.ts';

interface Held {
  readonly at: number;
  readonly snapshot: MailboxSnapshot;
  readonly mailbox: ModelMailbox;
}

/** Snapshots that are kept and read again. */
const HELD = 8;

export class Readers {
  #held: Held[] = [];
  #store: MailStore | undefined;
  #reading = 0;

  constructor(
    readonly random: SeededRandom,
    readonly ledger: Ledger,
    readonly fail: (error: unknown) => void,
    readonly troubled: () => boolean,
  ) {}

  get busy(): boolean {
    return this.#reading > 0;
  }

  read(store: MailStore, scene: Scene): void {
    if (store !== this.#store) {
      this.#store = store;
      this.#held = [];
      this.#reading = 0;
    }
    const world = this.ledger.durable;
    const now: Scene = { ...scene, world };
    const reads = [
      ...[this.#open, this.#open, this.#fetch, this.#fetch, this.#octets, this.#octets],
      ...[this.#vanished, this.#list, this.#usage, this.#record, this.#records, this.#locate],
    ];
    const read = this.random.pick(reads);
    this.#reading++;
    read
      .call(this, store, now)
      .catch((error: unknown) => {
        if (store !== this.#store) return;
        const old = this.#held.some(({ at }) => scene.now - at >= 600_000);
        const excused =
          isMailError(error) &&
          (this.troubled() ||
            error.code === 'UNAVAILABLE' ||
            (error.code === 'EXPUNGED' && (old || this.ledger.faded.size > 0)));
        if (!excused) this.fail(error);
      })
      .finally(() => {
        if (store === this.#store) this.#reading--;
      });
  }

  /** The store is gone; what is still under way is nobody's. */
  end(): void {
    this.#store = undefined;
    this.#held = [];
    this.#reading = 0;
  }

  #same(what: string, is: unknown, expected: unknown): void {
    if (isDeepStrictEqual(is, expected)) return;
    throw new Difference(
      `${what}\n  is       ${JSON.stringify(is)}\n  expected ${JSON.stringify(expected)}`,
    );
  }

  async #open(store: MailStore, scene: Scene): Promise<void> {
    const mailbox = pickMailbox(scene);
    if (!mailbox) return;
    const previous = this.#held.findLast((held) => held.snapshot.mailbox === mailbox.id);
    const snapshot = await store.open(mailbox.id, previous?.snapshot);
    this.#isSnapshot(snapshot, mailbox);
    this.#held.push({ at: scene.now, snapshot, mailbox });
    if (this.#held.length > HELD) this.#held.shift();
  }

  #isSnapshot(snapshot: MailboxSnapshot, mailbox: ModelMailbox): void {
    const { id, account, uidValidity, uidNext, highestModSeq, messages } = mailbox;
    this.#same(
      `open ${id}`,
      [snapshot.mailbox, snapshot.account, snapshot.uidValidity, snapshot.uidNext],
      [id, account, uidValidity, uidNext],
    );
    this.#same(`modseq of ${id}`, snapshot.highestModSeq, highestModSeq);
    const flags = flagsOf(snapshot);
    const uids = snapshot.blocks.flatMap(({ uid }) => [...uid]);
    const modSeqs = snapshot.blocks.flatMap(({ modSeq }) => [...modSeq]);
    this.#same(
      `messages of ${id}`,
      uids.map((uid, i) => `${uid} ${modSeqs[i]} ${[...(flags[i] ?? [])].sort().join(' ')}`),
      messages.map(({ uid, modSeq, flags: set }) => `${uid} ${modSeq} ${set.join(' ')}`),
    );
  }

  async #fetch(store: MailStore, scene: Scene): Promise<void> {
    const held = this.#pickHeld();
    if (!held) return;
    const { snapshot, mailbox } = held;
    const uids = someUids(scene, mailbox.id);
    const rows: Row[] = [];
    for await (const batch of store.fetch(snapshot, uids, ['envelope', 'ids'])) rows.push(...batch);
    this.#same(
      `fetch ${mailbox.id}`,
      rows.map(({ uid, emailId, facts }) => [
        uid,
        emailId,
        String(Buffer.from(facts.envelope ?? [])),
      ]),
      mailbox.messages
        .filter(({ uid }) => isIn(uids, uid))
        .map(({ uid, emailId, preview }) => [uid, emailId, String(envelopeOf(preview))]),
    );
    // It has not changed since it was opened.
    this.#isSnapshot(snapshot, mailbox);
  }

  #pickHeld(): Held | undefined {
    return this.#held.length > 0 ? this.random.pick(this.#held) : undefined;
  }

  async #octets(store: MailStore): Promise<void> {
    const { random } = this;
    const held = this.#pickHeld();
    if (!held || held.mailbox.messages.length === 0) return;
    const { snapshot, mailbox } = held;
    const { uid, body } = random.pick(mailbox.messages);
    const start = random.chance(0.5) ? 0 : random.integer(body.length + 10);
    const end = random.chance(0.5) ? undefined : start + random.integer(body.length + 10);
    const octets = await bytesOf(store.read({ snapshot, uid }, start, end));
    const expected = body.subarray(start, end);
    this.#same(`octets of ${mailbox.id} ${uid}`, digestOf(octets), digestOf(expected));
  }

  async #vanished(store: MailStore, { world }: Scene): Promise<void> {
    const held = this.#pickHeld();
    if (!held) return;
    const since = this.random.integer(held.mailbox.highestModSeq + 1) as ModSeq;
    await this.#tells(store, held, world.mailboxes.get(held.mailbox.id) ?? held.mailbox, since);
  }

  /** What every mailbox tells of those who are gone. */
  async allVanished(store: MailStore): Promise<void> {
    for (const mailbox of this.ledger.durable.mailboxes.values()) {
      const snapshot = await store.open(mailbox.id);
      for (const part of [0, 0.5, 0.9]) {
        const since = Math.floor(mailbox.highestModSeq * part) as ModSeq;
        await this.#tells(store, { snapshot, mailbox }, mailbox, since);
      }
    }
  }

  async #tells(
    store: MailStore,
    { snapshot, mailbox }: Omit<Held, 'at'>,
    now: ModelMailbox,
    since: ModSeq,
  ): Promise<void> {
    const told = await store.vanished(snapshot, since);
    // More may be told, but only of what is not there.
    const missing = now.vanished.filter(
      (each) => each.modSeq > since && each.modSeq <= snapshot.highestModSeq,
    );
    const forgotten = missing.filter(({ uid }) => !isIn(told, uid));
    this.#same(`not told to have vanished from ${mailbox.id}`, forgotten, []);
    const wrong = mailbox.messages.filter(({ uid }) => isIn(told, uid)).map(({ uid }) => uid);
    this.#same(`told to have vanished from ${mailbox.id}`, wrong, []);
    const beyond = told.filter(([, last]) => last >= snapshot.uidNext);
    this.#same(`vanished, but never there in ${mailbox.id}`, beyond, []);
  }

  async #list(store: MailStore, { world }: Scene): Promise<void> {
    const accounts = [...world.accounts.values()].filter(({ destroyed }) => !destroyed);
    if (accounts.length === 0) return;
    const { id } = this.random.pick(accounts);
    const shared = this.random.chance(0.5);
    const infos = await store.mailboxes(id, { shared });
    const expected = [...world.mailboxes.values()].filter((mailbox) =>
      shared ? isVisible(mailbox, id) : mailbox.account === id,
    );
    this.#same(
      `mailboxes of ${id}`,
      infos.map(lineOfInfo).sort(),
      expected.map((mailbox) => lineOfInfo(infoOf(mailbox))).sort(),
    );
  }

  async #usage(store: MailStore, { world }: Scene): Promise<void> {
    const accounts = [...world.accounts.values()].filter(({ destroyed }) => !destroyed);
    if (accounts.length === 0) return;
    const { id, names } = this.random.pick(accounts);
    const { used } = await store.usage(id);
    this.#same(`use of ${id}`, { ...used }, usedBy(world, id));
    this.#same(`names of ${id}`, [...(await store.subscribedNames(id))], [...names].sort());
  }

  async #record(store: MailStore, { world, now }: Scene): Promise<void> {
    const space = this.random.pick(spaces);
    const key = `k${this.random.integer(12)}`;
    const found = await store.record(space, key);
    const record = world.records.get(recordName(space, key));
    const expected = isThere(record, now)
      ? [key, record.version, digestOf(record.value as Buffer), record.content?.length]
      : undefined;
    const is = found && [key, found.version, digestOf(found.value), found.size];
    this.#same(`record ${space}/${key}`, is, expected);
  }

  async #records(store: MailStore, { world, now }: Scene): Promise<void> {
    const space = this.random.pick(spaces);
    const reverse = this.random.chance(0.5);
    const from = `k${this.random.integer(9)}`;
    const to = this.random.chance(0.5) ? `k${this.random.integer(12)}` : undefined;
    const limit = 1 + this.random.integer(9);
    const keys: string[] = [];
    const range = { from, ...(to === undefined ? {} : { to }), limit, reverse };
    for await (const { key } of store.records(space, range)) keys.push(key);
    const expected = recordsOf(world, now)
      .filter((record) => record.space === space)
      .map(({ key }) => key)
      .filter((key) => key >= from && (to === undefined || key < to));
    if (reverse) expected.reverse();
    this.#same(`records of ${space}`, keys, expected.slice(0, limit));
  }

  async #locate(store: MailStore, { world }: Scene): Promise<void> {
    const mailbox = [...world.mailboxes.values()].find(({ messages }) => messages.length > 0);
    if (!mailbox) return;
    const { emailId } = this.random.pick(mailbox.messages);
    const { account } = mailbox;
    const emails = [emailId, 'given-1' as EmailId, 'M999999' as EmailId];
    const found = await store.locate(account, emails);
    const places = (id: EmailId) =>
      [...world.mailboxes.values()]
        .filter((each) => each.account === account)
        .flatMap((each) =>
          each.messages
            .filter((message) => message.emailId === id)
            .map(({ uid }) => [each.id, uid]),
        );
    this.#same(
      `places of ${emailId}`,
      found.map(({ at }) => [...at].map(String).sort()),
      emails.map((id) => places(id).map(String).sort()),
    );
  }
}

const envelopeOf = (preview: string) =>
  Buffer.from(factsFor(preview.replace('preview of ', '')).envelope);

export type { Uid };
