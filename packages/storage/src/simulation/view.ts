/** All that can be seen of a store, as lines, and what they should be. */
import { createHash } from 'node:crypto';
import {
  isMailError,
  type AccountId,
  type MailStore,
  type MailboxId,
  type MailboxInfo,
  type MailboxSnapshot,
  type Row,
} from '@mail-server-kit/core';
import { all, factsFor, flagsOf } from '../contract/given.ts';
import {
  isThere,
  octetsIn,
  sum,
  usedBy,
  type ModelMailbox,
  type ModelMessage,
  type ModelRecord,
  type ModelWorld,
} from './model-world.ts';

const digests = new WeakMap<Uint8Array, string>();

/** Not the checksum that the store has: what that overlooks must be found too. */
export function digestOf(octets: Uint8Array): string {
  let digest = digests.get(octets);
  if (digest === undefined) {
    digest = `${octets.length}:${createHash('sha1').update(octets).digest('hex').slice(0, 16)}`;
    digests.set(octets, digest);
  }
  return digest;
}

export const spaces = ['queue', 'scripts'] as const;

/** Accounts that may be there. */
export function accountsOf(world: ModelWorld): AccountId[] {
  return [...world.accounts.keys()].sort();
}

const list = (values: Iterable<string>): string => [...values].sort().join(',');

export function linesOfWorld(world: ModelWorld, now: number): string[] {
  const lines: string[] = [];
  for (const id of accountsOf(world)) {
    const account = world.accounts.get(id);
    if (!account || account.destroyed) {
      lines.push(`account ${id} NONEXISTENT`);
      continue;
    }
    const { octets, messages, mailboxes } = usedBy(world, id);
    const { limits, names } = account;
    lines.push(
      `account ${id} used ${octets} ${messages} ${mailboxes} limits ${sorted(limits)} names ${list(names)}`,
    );
    const own = [...world.mailboxes.values()].filter((mailbox) => mailbox.account === id);
    for (const mailbox of own.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      lines.push(...linesOfMailbox(mailbox));
    }
    const seen = [...world.mailboxes.values()].filter((mailbox) => isVisible(mailbox, id));
    lines.push(`sees ${list(seen.map((mailbox) => mailbox.id))}`);
    for (const hidden of expungedOf(world, id)) {
      const there = world.mailboxes.has(hidden.id.slice(1) as MailboxId);
      lines.push(`expunged ${hidden.id} ${hidden.name} ${there} ${octetsIn(hidden)}`);
      lines.push(...hidden.messages.map((message) => lineOfMessage(hidden.id, message)));
    }
  }
  for (const record of recordsOf(world, now)) lines.push(lineOfRecord(record));
  return lines;
}

const expungedOf = (world: ModelWorld, account: AccountId): ModelMailbox[] =>
  [...world.expunged.values()]
    .filter((hidden) => hidden.account === account && hidden.messages.length > 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1));

export const isVisible = ({ account, acl }: ModelMailbox, who: AccountId): boolean =>
  account === who ||
  [who, 'anyone' as AccountId].some((each) => acl.get(each)?.includes('l') ?? false);

export function recordsOf(world: ModelWorld, now: number): ModelRecord[] {
  const there = [...world.records.values()].filter((record) => isThere(record, now));
  const order = ({ space, key }: ModelRecord) => `${space}\n${key}`;
  return there.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

const lineOfRecord = ({ space, key, version, value, content }: ModelRecord): string =>
  `record ${space}/${key} ${version} ${digestOf(value as Buffer)} ${content ? digestOf(content) : '-'}`;

const sorted = (value: object): string =>
  JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

const mailboxLines = new WeakMap<ModelMailbox, readonly string[]>();

export function linesOfMailbox(mailbox: ModelMailbox): readonly string[] {
  let lines = mailboxLines.get(mailbox);
  if (!lines) {
    lines = [
      lineOfInfo(infoOf(mailbox)),
      `metadata ${list([...mailbox.metadata].map(([entry, value]) => `${entry}=${digestOf(value)}`))}`,
      ...mailbox.messages.map((message) => lineOfMessage(mailbox.id, message)),
    ];
    mailboxLines.set(mailbox, lines);
  }
  return lines;
}

export function infoOf(mailbox: ModelMailbox): MailboxInfo {
  const { messages, specialUse, acl } = mailbox;
  const withFlag = (flag: string) => messages.filter(({ flags }) => flags.includes(flag)).length;
  return {
    id: mailbox.id,
    account: mailbox.account,
    name: mailbox.name,
    ...(specialUse === undefined ? {} : { specialUse }),
    subscribed: mailbox.subscribed,
    uidValidity: mailbox.uidValidity,
    uidNext: mailbox.uidNext,
    highestModSeq: mailbox.highestModSeq,
    messages: messages.length,
    unseen: messages.length - withFlag('\\Seen'),
    deleted: withFlag('\\Deleted'),
    octets: octetsIn(mailbox),
    limits: mailbox.limits,
    acl: [...acl].sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

export const lineOfInfo = (info: MailboxInfo): string =>
  `mailbox ${info.id} ${sorted({ ...info, limits: sorted(info.limits) })}`;

const messageLines = new WeakMap<ModelMessage, string>();

export function lineOfMessage(mailbox: MailboxId, message: ModelMessage): string {
  let line = messageLines.get(message);
  if (line === undefined) {
    const { uid, flags, body, modSeq, internalDate, internalZone, saveDate } = message;
    const columns = [uid, modSeq, body.length, internalDate, internalZone, saveDate].join(' ');
    line = `${columns} [${flags.join(' ')}] ${message.emailId} ${message.preview} ${digestOf(body)}`;
    messageLines.set(message, line);
  }
  return `${mailbox} ${line}`;
}

// The same of a store.

export async function linesOfStore(store: MailStore, world: ModelWorld): Promise<string[]> {
  const lines: string[] = [];
  for (const id of accountsOf(world)) {
    let infos: readonly MailboxInfo[];
    try {
      infos = await store.mailboxes(id);
    } catch (error) {
      if (!isMailError(error, 'NONEXISTENT')) throw error;
      lines.push(`account ${id} NONEXISTENT`);
      continue;
    }
    const { used, limits } = await store.usage(id);
    const names = await store.subscribedNames(id);
    lines.push(
      `account ${id} used ${used.octets} ${used.messages} ${used.mailboxes} limits ${sorted(limits)} names ${list(names)}`,
    );
    for (const info of infos) lines.push(...(await linesOfStored(store, info)));
    const seen = await store.mailboxes(id, { shared: true });
    lines.push(`sees ${list(seen.map((info) => info.id))}`);
    const hidden = [...((await store.expunged?.(id)) ?? [])];
    for (const info of hidden.sort((a, b) => (a.id < b.id ? -1 : 1))) {
      lines.push(`expunged ${info.id} ${info.name} ${info.there} ${info.octets}`);
      lines.push(...(await messagesOf(store, await store.open(info.id))));
    }
  }
  for (const space of spaces) {
    for await (const { key, version, value, size } of store.records(space)) {
      const content =
        size === undefined ? '-' : digestOf(await bytesOf(store.read({ space, key })));
      lines.push(`record ${space}/${key} ${version} ${digestOf(value)} ${content}`);
    }
  }
  return lines;
}

async function linesOfStored(store: MailStore, info: MailboxInfo): Promise<string[]> {
  const metadata = await store.metadata(info.id);
  const snapshot = await store.open(info.id);
  return [
    lineOfInfo(info),
    `metadata ${list(metadata.map(([entry, value]) => `${entry}=${digestOf(value)}`))}`,
    ...(await messagesOf(store, snapshot)),
  ];
}

/** Every message with all that belongs to it. */
export async function messagesOf(store: MailStore, snapshot: MailboxSnapshot): Promise<string[]> {
  const rows = await rowsOf(store, snapshot);
  const flags = flagsOf(snapshot);
  const lines: string[] = [];
  let at = 0;
  for (const block of snapshot.blocks) {
    for (let i = 0; i < block.uid.length; i++, at++) {
      const row = rows[at] as Row;
      const uid = row.uid;
      const body = await bytesOf(store.read({ snapshot, uid }));
      const { modSeq, size, internalDate, internalZone, saveDate } = block;
      const columns = [uid, modSeq[i], size[i], internalDate[i], internalZone[i], saveDate[i]];
      const set = [...(flags[at] ?? [])].sort().join(' ');
      lines.push(
        `${snapshot.mailbox} ${columns.join(' ')} [${set}] ${row.emailId} ${previewOf(row)} ${digestOf(body)}`,
      );
    }
  }
  const count = sum(snapshot.blocks.map(({ uid }) => uid.length));
  if (count !== snapshot.messages || count !== rows.length) lines.push(`${count} of messages`);
  return lines;
}

async function rowsOf(store: MailStore, snapshot: MailboxSnapshot): Promise<Row[]> {
  const rows: Row[] = [];
  const parts = ['envelope', 'structure', 'preview', 'sort', 'thread', 'ids'] as const;
  for await (const batch of store.fetch(snapshot, all, parts)) rows.push(...batch);
  return rows;
}

/** What the facts say their name is, if all of them say so. */
export function previewOf({ facts }: Row): string {
  const preview = facts.preview ?? '';
  const name = preview.replace('preview of ', '');
  const whole = factsFor(name);
  const envelope = Buffer.from(facts.envelope ?? []).equals(whole.envelope);
  const structure = Buffer.from(facts.structure ?? []).equals(whole.structure);
  const rest =
    sorted({ ...facts.sort, ...facts.thread }) === sorted({ ...whole.sort, ...whole.thread });
  return envelope && structure && rest ? preview : `facts of several: ${preview}`;
}

export async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  return Buffer.concat(parts);
}
