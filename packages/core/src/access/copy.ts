import { MailError } from '../errors.ts';
import type { Uid } from '../numbers.ts';
import type { Block, Facts, MailboxSnapshot, NewMessage, Write } from '../store.ts';
import { ascending, hasUid, type UidRanges } from '../uidset.ts';
import type { Checking, Replacement } from './writes.ts';
import { kept } from './writes.ts';

/** More at once would hold too much in memory. */
const MAX_COPIES = 10_000;

/**
 * A copy takes its flags along. For somebody who may not set all of them there (RFC 4314 section 4), the messages are
 * appended one by one instead, in the same commit, with the flags that are left.
 */
export async function appendInstead(
  write: Extract<Write, { readonly op: 'copy' | 'move' }>,
  rights: string,
  { store, actor }: Checking,
): Promise<Replacement> {
  const snapshot = await store.open(write.mailbox);
  const messages = new Map<Uid, Omit<NewMessage, 'facts'>>();
  for (const block of snapshot.blocks) {
    block.uid.forEach((uid, row) => {
      if (hasUid(write.uids, uid))
        messages.set(uid as Uid, messageAt(snapshot, block, row, rights));
    });
  }
  if (messages.size > MAX_COPIES) throw new MailError('LIMIT', 'Too many messages at once');

  const { mailbox: target } = await actor.find(write.to);
  const writes: Write[] = [];
  const found: Uid[] = [];
  const parts = ['envelope', 'structure', 'preview', 'sort', 'thread', 'ids'] as const;
  for await (const rows of store.fetch(snapshot, ascending(messages.keys()), parts)) {
    for (const { uid, facts, emailId } of rows) {
      const message = messages.get(uid);
      if (!message) continue;
      found.push(uid);
      writes.push({
        op: 'append',
        mailbox: write.to,
        ...message,
        facts: facts as Facts,
        // Copies within one account are the same e-mail (RFC 8474 section 5.1).
        ...(emailId !== undefined && target.account === snapshot.account && { emailId }),
      });
    }
  }
  const from = ascending(found);
  const copies = writes.length;
  if (write.op === 'move') writes.push({ op: 'expunge', mailbox: write.mailbox, uids: from });
  return {
    writes,
    result(results) {
      const to: UidRanges = ascending(results.slice(0, copies).flatMap(({ uid }) => uid ?? []));
      const { modSeq, uidValidity } = results[0] ?? {};
      return {
        mailbox: write.to,
        copies: { from, to },
        ...(modSeq !== undefined && { modSeq }),
        ...(uidValidity !== undefined && { uidValidity }),
        ...(write.op === 'move' && { expunged: from }),
      };
    },
  };
}

function messageAt(
  { mailbox, flagNames }: MailboxSnapshot,
  block: Block,
  row: number,
  rights: string,
): Omit<NewMessage, 'facts'> {
  const flags = flagNames.filter((_, bit) => {
    const column = bit < 32 ? block.flagsLow : block.flagsHigh;
    return ((column[row] as number) >>> (bit & 31)) & 1;
  });
  return {
    content: [{ mailbox, uid: block.uid[row] as Uid }],
    flags: kept(flags, rights),
    internalDate: block.internalDate[row] as number,
    internalZone: block.internalZone[row] as number,
  };
}
