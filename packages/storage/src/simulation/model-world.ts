/**
 * All that a store is to hold, for obviousness and not for speed: maps and arrays, and sums that are added up each time. A
 * world is never changed: a commit makes another.
 */
import type {
  AccountId,
  EmailId,
  Limits,
  MailboxId,
  MailboxLimits,
  ModSeq,
  Uid,
  UidRanges,
  UidValidity,
} from '@mail-server-kit/core';

export interface ModelMessage {
  readonly uid: Uid;
  /** Sorted. */
  readonly flags: readonly string[];
  readonly body: Buffer;
  /** As `factsFor` made it. */
  readonly preview: string;
  readonly internalDate: number;
  readonly internalZone: number;
  readonly saveDate: number;
  readonly modSeq: ModSeq;
  readonly emailId: EmailId;
}

export interface ModelMailbox {
  readonly id: MailboxId;
  readonly account: AccountId;
  readonly name: string;
  readonly specialUse: string | undefined;
  readonly subscribed: boolean;
  readonly acl: ReadonlyMap<AccountId, string>;
  readonly metadata: ReadonlyMap<string, Buffer>;
  readonly limits: MailboxLimits;
  readonly uidValidity: UidValidity;
  readonly uidNext: Uid;
  readonly highestModSeq: ModSeq;
  /** Ascending by uid. */
  readonly messages: readonly ModelMessage[];
  readonly vanished: readonly { readonly uid: Uid; readonly modSeq: ModSeq }[];
}

export interface ModelAccount {
  readonly id: AccountId;
  readonly destroyed: boolean;
  readonly modSeq: ModSeq;
  readonly limits: Partial<Limits>;
  /** Subscribed names without a mailbox. */
  readonly names: ReadonlySet<string>;
}

export interface ModelRecord {
  readonly space: string;
  readonly key: string;
  readonly version: number;
  /** Undefined: deleted; its version goes on. */
  readonly value: Buffer | undefined;
  readonly content: Buffer | undefined;
  readonly expires: number | undefined;
  readonly account: AccountId | undefined;
}

export interface ModelWorld {
  readonly accounts: ReadonlyMap<AccountId, ModelAccount>;
  readonly mailboxes: ReadonlyMap<MailboxId, ModelMailbox>;
  /** Mailboxes of expunged messages, which can be brought back. `saveDate`: when they were expunged. */
  readonly expunged: ReadonlyMap<MailboxId, ModelMailbox>;
  /** By `recordName`. */
  readonly records: ReadonlyMap<string, ModelRecord>;
  /** What is kept for one account is kept once more for another one. */
  readonly sealed: boolean;
  /** Given last. */
  readonly uidValidity: number;
  readonly mailbox: number;
  readonly email: number;
}

export const emptyWorld: ModelWorld = {
  accounts: new Map(),
  mailboxes: new Map(),
  expunged: new Map(),
  records: new Map(),
  sealed: false,
  ...{ uidValidity: 0, mailbox: 0, email: 0 },
};

export const recordName = (space: string, key: string): string => `${space}\n${key}`;

export const isThere = (record: ModelRecord | undefined, now: number): record is ModelRecord =>
  record?.value !== undefined && (record.expires === undefined || record.expires > now);

export const sum = (numbers: Iterable<number>): number => {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
};

export function rangesOf(uids: readonly number[]): UidRanges {
  const ranges: [Uid, Uid][] = [];
  for (const uid of [...uids].sort((a, b) => a - b) as Uid[]) {
    const last = ranges.at(-1);
    if (last && last[1] + 1 === uid) last[1] = uid;
    else ranges.push([uid, uid]);
  }
  return ranges;
}

export const isIn = (ranges: UidRanges, uid: number): boolean =>
  ranges.some(([first, last]) => first <= uid && uid <= last);

/** What an account uses: everything that it has, added up. */
export function usedBy(world: ModelWorld, id: AccountId): Omit<Limits, 'messageOctets'> {
  const own = [...world.mailboxes.values()].filter(({ account }) => account === id);
  const records = [...world.records.values()].filter(({ account }) => account === id);
  return {
    octets: sum(own.map(octetsIn)) + sum(records.map(octetsOf)),
    messages: sum(own.map(({ messages }) => messages.length)),
    mailboxes: own.length,
  };
}

export const octetsIn = ({ messages }: ModelMailbox): number =>
  sum(messages.map(({ body }) => body.length));

export const octetsOf = ({ value, content }: ModelRecord): number =>
  value === undefined ? 0 : value.length + (content?.length ?? 0);
