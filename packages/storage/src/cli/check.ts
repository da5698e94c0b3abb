/** Reads everything there is, compares every checksum and every count, and says which messages are hurt. */
import { isMailError, type MailboxInfo, type Uid } from '@mail-server-kit/core';
import { accountsOf, looking, mailboxesOf, type Command, type Looked } from './command.ts';
import { messagesOf } from './messages.ts';
import { Progress } from './output.ts';

interface Finding {
  readonly where: string;
  readonly what: string;
}

export const check: Command = {
  name: 'check',
  usage: 'check [--account A]...',
  help: 'reads all of it and compares checksums and counts',

  run: ({ directory, encryption, accounts, json, io }) =>
    looking({ directory, encryption }, async (store) => {
      const findings: Finding[] = [];
      const found = (where: string, what: string) => {
        findings.push({ where, what });
        io.stdout.write(json ? `${JSON.stringify({ where, what })}\n` : `${where}: ${what}\n`);
      };
      const names = await accountsOf(store, accounts);
      const boxes = await mailboxesOf(store, names);
      const total = boxes.reduce((sum, { messages }) => sum + messages, 0);
      const progress = new Progress(io.stderr, 'messages');
      let read = 0;
      for (const box of boxes) {
        await checkMailbox(store, box, found, () => progress.show(++read, total));
      }
      progress.end();
      for (const { id } of names) await checkUsage(store, id, found);
      if (accounts.length === 0) await checkRecords(store, found);
      const summary = { accounts: names.length, mailboxes: boxes.length, messages: total };
      io.stdout.write(
        json
          ? `${JSON.stringify({ ...summary, findings: findings.length })}\n`
          : `${summary.accounts} accounts, ${summary.mailboxes} mailboxes, ${total} messages read: ${
              findings.length === 0 ? 'all is well' : `${findings.length} findings`
            }\n`,
      );
      return findings.length === 0;
    }),
};

type Found = (where: string, what: string) => void;

async function checkMailbox(
  store: Looked,
  box: MailboxInfo,
  found: Found,
  step: () => void,
): Promise<void> {
  const where = `${box.account} ${box.name}`;
  const snapshot = await store.open(box.id);
  let messages = 0;
  let octets = 0;
  let before = 0;
  for (const { uid, size } of messagesOf(snapshot)) {
    if (uid <= before) found(where, `uid ${uid} follows ${before}`);
    if (uid >= snapshot.uidNext) found(where, `uid ${uid} is not below UIDNEXT`);
    before = uid;
    messages++;
    octets += size;
    const problem = await problemOf(store, snapshot, uid, size);
    if (problem) found(`${where} uid ${uid}`, problem);
    step();
  }
  if (messages !== box.messages) found(where, `${messages} messages, but ${box.messages} counted`);
  if (octets !== box.octets) found(where, `${octets} octets, but ${box.octets} counted`);
}

/** What is wrong with a message. */
async function problemOf(
  store: Looked,
  snapshot: Awaited<ReturnType<Looked['open']>>,
  uid: Uid,
  size: number,
): Promise<string | undefined> {
  try {
    let octets = 0;
    for await (const chunk of store.read({ snapshot, uid })) octets += chunk.length;
    return octets === size ? undefined : `${octets} octets instead of ${size}`;
  } catch (error) {
    if (!isMailError(error)) throw error;
    return `${error.message}${placeOf(error.cause)}`;
  }
}

function placeOf(cause: unknown): string {
  const { segment, offset } = (cause ?? {}) as { segment?: number; offset?: number };
  return segment === undefined ? '' : ` (segment ${segment}, offset ${offset})`;
}

/** Whether the use that quotas are compared with is the sum of what is there. */
async function checkUsage(
  store: Looked,
  account: Parameters<Looked['usage']>[0],
  found: Found,
): Promise<void> {
  const { used } = await store.usage(account);
  const boxes = await store.mailboxes(account);
  const messages = boxes.reduce((sum, each) => sum + each.messages, 0);
  if (messages !== used.messages) {
    found(account, `${messages} messages, but ${used.messages} counted`);
  }
  let octets = boxes.reduce((sum, each) => sum + each.octets, 0);
  for (const { cells } of store.world.spaces.values()) {
    for (const { durable } of cells.values()) {
      if (durable && !durable.gone && durable.account === account) octets += durable.octets;
    }
  }
  if (octets !== used.octets) found(account, `${octets} octets, but ${used.octets} counted`);
}

async function checkRecords(store: Looked, found: Found): Promise<void> {
  for (const [space, { cells }] of store.world.spaces) {
    for (const key of cells.keys()) {
      try {
        const record = await store.record(space, key);
        if (record?.size === undefined) continue;
        for await (const _ of store.read({ space, key }));
      } catch (error) {
        if (!isMailError(error)) throw error;
        found(`record ${space} ${key}`, `${error.message}${placeOf(error.cause)}`);
      }
    }
  }
}
