/** Messages into the index of an account. */
import { isMailError, type Facts, type Uid, type UidRanges } from '@mail-server-kit/core';
import { FACTS_VERSION, factsOf, searchText, sentDay } from '@mail-server-kit/mime';
import { toDocument } from './document.ts';
import type { Listed } from './entry.ts';
import type { Messages } from './messages.ts';

/** Documents and octets of their texts that are written at once. */
const GROUP = 64;
const GROUP_OCTETS = 1_048_576;

export interface Build {
  readonly messages: Messages;
  /** What is to be added, by uid; one place is added once. */
  readonly missing: ReadonlyMap<number, { readonly place: number; readonly mark: number }>;
  write(documents: readonly Listed[]): Promise<void>;
  /** Called after each group of messages; pauses. */
  turn(): Promise<void>;
  unreadable(uid: number, error: unknown): void;
}

/** Adds messages by their uids. One that is gone or cannot be read is left out: whoever searches reads it. */
export async function build(
  { messages, missing, write, turn, unreadable }: Build,
  uids: UidRanges,
): Promise<void> {
  let group: Listed[] = [];
  let octets = 0;
  const flush = async () => {
    if (group.length > 0) await write(group);
    group = [];
    octets = 0;
    await turn();
  };
  for await (const rows of messages.fetch(undefined, uids, ['envelope', 'ids'])) {
    for (const row of rows) {
      const at = missing.get(row.uid);
      if (!at) continue;
      try {
        const document = toDocument(await searchText(messages.read(sourceOf(row.uid))));
        const { envelope } = await factsFor(messages, row);
        const { emailId = '' } = row;
        const day = envelope ? sentDay(envelope) : null;
        group.push({ ...document, ...at, emailId, sentDay: day });
        octets += document.header.length + document.rest.length;
      } catch (error) {
        if (!isMailError(error, 'EXPUNGED', 'NONEXISTENT')) unreadable(row.uid, error);
      }
      if (group.length === GROUP || octets >= GROUP_OCTETS) await flush();
    }
  }
  await flush();
}

const sourceOf = (uid: Uid) => ({ uid }) as never;

/** As they are, if this version of package mime made them. */
const factsFor = async (
  messages: Messages,
  { uid, facts }: { readonly uid: Uid; readonly facts: Partial<Facts> },
): Promise<Partial<Facts>> =>
  facts.version === FACTS_VERSION ? facts : factsOf(messages.read(sourceOf(uid)));
