/** What the promises need: a store, an account, messages. All of it by the contract alone. */
import assert from 'node:assert/strict';
import {
  flagsOf as namesOfFlags,
  isMailError,
  type AccountId,
  type Commit,
  type Content,
  type Facts,
  type MailStore,
  type MailboxId,
  type MailboxSnapshot,
  type NewMessage,
  type Reason,
  type Row,
  type Source,
  type Uid,
  type UidRanges,
  type Write,
  type WriteResult,
} from '@mail-server-kit/core';

/** Of any test runner. */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

export type Open = () => Promise<MailStore>;

export const alice = 'alice' as AccountId;
export const bob = 'bob' as AccountId;

export const octets = (text: string): Uint8Array => Buffer.from(text, 'utf8');
export const text = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? new Uint8Array()).toString('utf8');

export const plain = 'From: a@example.org\r\nSubject: Plain\r\n\r\nHello\r\n';

/** Facts that can be told apart; the store does not look inside. */
export function factsFor(name: string): Facts {
  return {
    version: 1,
    envelope: octets(`("${name}")`),
    structure: octets(`structure of ${name}`),
    ascii: name !== 'ünïcode',
    preview: `preview of ${name}`,
    sort: { sentDate: 86_400_000, subject: name, from: 'a', to: 'b', cc: '' },
    thread: { messageId: `${name}@example.org`, references: ['x@example.org', 'y@example.org'] },
  };
}

export function message(
  content: Content | string = plain,
  more: Partial<NewMessage> = {},
): NewMessage {
  return {
    content: typeof content === 'string' ? [octets(content)] : content,
    facts: factsFor('plain'),
    flags: [],
    internalDate: 1_000_000,
    ...more,
  };
}

/** A store with an account, whose INBOX is at hand. */
export interface Given {
  readonly store: MailStore;
  readonly inbox: MailboxId;
  write(...writes: Write[]): Promise<WriteResult>;
  append(content?: Content | string, more?: Partial<NewMessage>): Promise<Uid>;
  mailbox(name: string): Promise<MailboxId>;
  open(mailbox?: MailboxId): Promise<MailboxSnapshot>;
}

/** Runs `body` with a fresh store and closes it. */
export function withStore(open: Open, body: (given: Given) => Promise<void>): () => Promise<void> {
  return async () => {
    const store = await open();
    try {
      const made = await store.commit([{ op: 'createAccount', account: alice }]);
      const inbox = made.results[0]?.mailbox as MailboxId;
      const write = async (...writes: Write[]) => (await store.commit(writes)).results.at(-1) ?? {};
      await body({
        store,
        inbox,
        write,
        append: async (content, more) =>
          (await write({ op: 'append', mailbox: inbox, ...message(content, more) })).uid as Uid,
        mailbox: async (name) =>
          (await write({ op: 'createMailbox', account: alice, name })).mailbox as MailboxId,
        open: (mailbox = inbox) => store.open(mailbox),
      });
    } finally {
      await store.close();
    }
  };
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(Uint8Array.from(chunk));
  return Buffer.concat(all).toString('latin1');
}

export async function readText(
  store: MailStore,
  source: Source,
  start?: number,
  end?: number,
): Promise<string> {
  return collect(store.read(source, start, end));
}

export async function rowsOf(
  store: MailStore,
  snapshot: MailboxSnapshot,
  uids: UidRanges = all,
  parts: Parameters<MailStore['fetch']>[2] = ['envelope', 'ids'],
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of store.fetch(snapshot, uids, parts)) rows.push(...batch);
  return rows;
}

export const all: UidRanges = [[1 as Uid, 0xffff_ffff as Uid]];
export const only = (...uids: number[]): UidRanges => uids.map((uid) => [uid as Uid, uid as Uid]);
export const range = (first: number, last: number): UidRanges => [[first as Uid, last as Uid]];

export const uidsOf = (snapshot: MailboxSnapshot): number[] =>
  snapshot.blocks.flatMap(({ uid }) => [...uid]);

/** Flags of each message, in the order of the uids. */
export function flagsOf(snapshot: MailboxSnapshot): string[][] {
  return snapshot.blocks.flatMap(({ flagsLow, flagsHigh }) =>
    [...flagsLow].map((low, row) =>
      namesOfFlags(snapshot.flagNames, low, flagsHigh[row] as number),
    ),
  );
}

export const modSeqsOf = (snapshot: MailboxSnapshot): number[] =>
  snapshot.blocks.flatMap(({ modSeq }) => [...modSeq]);

/** That it fails with this reason, and whom it blames. */
export async function fails(action: Promise<unknown>, code: Reason, write?: number): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    assert.ok(isMailError(error), `a MailError was expected, not ${String(error)}`);
    assert.equal(error.code, code);
    if (write !== undefined) assert.equal(error.write, write);
    return true;
  });
}

/** Ids and cursors differ between two commits; what they did must not. */
export const resultsOf = (commit: Commit): readonly WriteResult[] => commit.results;
