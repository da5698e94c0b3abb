/** Turns a received message into the writes of one commit: a copy per mailbox, an entry per relayed recipient. */
import {
  isMailError,
  MailError,
  type Commit,
  type Recipient,
  type Write,
} from '@mail-server-kit/core';
import { prependHeader } from '@mail-server-kit/mime';
import { reportDelivery } from './delivered.ts';
import type { Tags } from './filters.ts';
import type { Received } from './message.ts';
import { ourFault, reply, replyOf, type Reply } from './reply.ts';
import type { Accepted, Destination, Session, Transaction } from './session.ts';

export interface Addressed {
  readonly recipient: Accepted;
  readonly tags: readonly Tags[];
}

interface Planned {
  readonly write: Write;
  /** Nobody: it is of a report. */
  readonly owners: readonly Accepted[];
}

/**
 * Who did not get it, with the reason. Where a mailbox fills up at the very last moment, LMTP can tell its owner's sender
 * and file it for the others (RFC 2033 section 4.2); with the single answer of SMTP nobody has it then (separated.ts).
 */
export async function file(
  session: Session,
  transaction: Transaction,
  message: Received,
  addressed: readonly Addressed[],
): Promise<ReadonlyMap<Accepted, Reply>> {
  const refused = new Map<Accepted, Reply>();
  let withReport = true;
  for (let left = addressed; left.length > 0;) {
    const planned = await plan(session, transaction, message, left);
    if (withReport) {
      const report = await reportDelivery(session, transaction, message, left);
      planned.push(...report.map((write) => ({ write, owners: [] })));
    }
    try {
      await commit(session, planned, message.id);
      return refused;
    } catch (error) {
      // What the cache says about mailboxes may be older than the store.
      if (isMailError(error, 'NONEXISTENT')) forgetMailboxes(session, left);
      const blamed = blamedBy(planned, error);
      if (blamed?.owners.length === 0) {
        // A report that has no room is lost like one that cannot be sent; the message is not to suffer for it.
        withReport = false;
        logFailure(session, message, 'warn', 'report not filed', error);
        continue;
      }
      const culprits = new Set(blamed?.owners ?? []);
      const others = left.filter(({ recipient }) => !culprits.has(recipient));
      const answer = answerTo(session, message, error);
      for (const recipient of culprits) refused.set(recipient, answer);
      left = session.settings.kind === 'lmtp' && culprits.size > 0 ? others : [];
      if (left.length > 0) continue;
      for (const { recipient } of others) {
        refused.set(recipient, culprits.size > 0 ? ourFault : answer);
      }
    }
  }
  return refused;
}

async function plan(
  session: Session,
  { envelope }: Transaction,
  message: Received,
  addressed: readonly Addressed[],
): Promise<Planned[]> {
  const { mailboxes, relay } = session.settings;
  const { path, trace } = message;
  const stage = { stage: message.stage.stage };
  const appends = new Map<string, { write: Write; owners: Accepted[] }>();
  const queued = new Map<string, { recipients: Recipient[]; owners: Accepted[] }>();

  for (const { recipient, tags } of addressed) {
    const headers = tags.flatMap((tag) => tag.headers ?? []).join('');
    for (const destination of recipient.destinations) {
      if (destination.to === 'relay') {
        const group = queued.get(headers) ?? { recipients: [], owners: [] };
        queued.set(headers, group);
        group.recipients.push(destination.recipient);
        group.owners.push(recipient);
        continue;
      }
      const mailbox = await mailboxes.find(destination.account, mailboxOf(destination, tags));
      // Two recipients that lead to one mailbox are one delivery.
      const key = `${destination.account} ${mailbox}`;
      const same = appends.get(key);
      if (same) {
        same.owners.push(recipient);
        continue;
      }
      const top = Buffer.from(path + headers + trace);
      appends.set(key, {
        owners: [recipient],
        write: {
          op: 'append',
          mailbox,
          content: [top, stage],
          facts: prependHeader(message.facts, top),
          flags: [...new Set([...destination.flags, ...tags.flatMap((tag) => tag.flags ?? [])])],
          internalDate: message.time,
        },
      });
    }
  }

  const planned: Planned[] = [...appends.values()];
  for (const [headers, group] of queued) {
    if (!relay) throw new TypeError('a recipient was accepted for relaying without a relay');
    const writes = relay.enqueue({ ...envelope, recipients: group.recipients }, [
      Buffer.from(headers + trace),
      stage,
    ]);
    for (const write of writes) planned.push({ write, owners: group.owners });
  }
  return planned;
}

/** A filter's word counts more than the address: spam for `anna+list` is spam. */
function mailboxOf(
  destination: Extract<Destination, { to: 'account' }>,
  tags: readonly Tags[],
): string | undefined {
  return tags.findLast((tag) => tag.mailbox !== undefined)?.mailbox ?? destination.mailbox;
}

/** Times to ask again for an outcome that is not known, in milliseconds. */
const PAUSES = [0, 100, 1000, 5000];

async function commit(
  { settings }: Session,
  planned: readonly Planned[],
  id: string,
): Promise<Commit | undefined> {
  if (planned.length === 0) return undefined;
  const writes = planned.map(({ write }) => write);
  for (const pause of PAUSES) {
    if (pause > 0) await new Promise<void>((resolve) => void settings.clock.after(pause, resolve));
    try {
      return await settings.store.commit(writes, { id });
    } catch (error) {
      // With the same id a repeat cannot become a second copy.
      if (!isMailError(error, 'UNKNOWN')) throw error;
    }
  }
  throw new MailError('UNKNOWN', 'It is not known whether the message was stored, send it again');
}

function blamedBy(planned: readonly Planned[], error: unknown): Planned | undefined {
  const isOfOne = isMailError(error, 'OVERQUOTA', 'TOOBIG', 'LIMIT', 'NONEXISTENT');
  return isOfOne && error.write !== undefined ? planned[error.write] : undefined;
}

function answerTo(session: Session, message: Received, error: unknown): Reply {
  if (isMailError(error, 'OVERQUOTA')) return reply(452, '4.2.2', 'The mailbox is full');
  // The store has told the operator that the disk is full, once and not for each message.
  if (isMailError(error, 'TOOBIG', 'FULL')) return replyOf(error);
  logFailure(session, message, 'error', 'commit failed', error);
  return ourFault;
}

function logFailure(
  { settings, connection }: Session,
  { id, stage }: Received,
  level: 'warn' | 'error',
  event: string,
  error: unknown,
): void {
  const { size } = stage;
  settings.log({ level, service: 'smtp', event, connection, id, size, error });
}

function forgetMailboxes({ settings }: Session, addressed: readonly Addressed[]): void {
  for (const { recipient } of addressed) {
    for (const one of recipient.destinations) {
      if (one.to === 'account') settings.mailboxes.forget(one.account);
    }
  }
}
