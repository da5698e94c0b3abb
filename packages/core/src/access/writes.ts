/** Which rights a write takes (RFC 4314 section 4), and what is left of it for somebody who has only some of them. */
import { isMailError, MailError } from '../errors.ts';
import type { MailboxId } from '../numbers.ts';
import type { Commit, Content, MailStore, Write, WriteResult } from '../store.ts';
import { type Actor, notAllowed } from './actor.ts';
import { appendInstead } from './copy.ts';
import { rightToFlag, type Guarded } from './rights.ts';

type WriteOf<Op extends Write['op']> = Extract<Write, { readonly op: Op }>;

export interface Checking {
  readonly store: MailStore;
  readonly actor: Actor;
  readonly mailboxId: () => MailboxId;
}

/** What is really written for one write, and how its results are told as one. */
export interface Replacement {
  readonly writes: readonly Write[];
  readonly result?: (results: readonly WriteResult[]) => WriteResult;
}

/** True if no right is asked for: all mailboxes are known to be the actor's own. Costs a look into a set for each write. */
export function onlyOwn(writes: readonly Write[], actor: Actor): boolean {
  return writes.every((write) => {
    switch (write.op) {
      case 'createMailbox':
      case 'subscribeName':
        return write.account === actor.id;
      case 'createAccount':
      case 'destroyAccount':
      case 'setAccount':
      case 'putRecord':
      case 'deleteRecord':
      case 'expectRecord':
        return false;
      case 'copy':
      case 'move':
        return actor.owns(write.mailbox) && actor.owns(write.to);
      case 'undelete':
        return actor.owns(write.mailbox) && actor.owns(write.to ?? whereItWas(write.mailbox));
      case 'append':
        return (
          actor.owns(write.mailbox) && mailboxesOf(write.content).every((id) => actor.owns(id))
        );
      case 'replace':
        return (
          actor.owns(write.mailbox) &&
          actor.owns(write.to) &&
          mailboxesOf(write.content).every((id) => actor.owns(id))
        );
      case 'setMailbox':
        return !write.limits && actor.owns(write.mailbox);
      default:
        return actor.owns(write.mailbox);
    }
  });
}

/** The mailbox whose expunged messages these are. */
const whereItWas = (expunged: MailboxId) => expunged.slice(1) as MailboxId;

function mailboxesOf(content: Content): MailboxId[] {
  return content.flatMap((slice) => ('mailbox' in slice ? [slice.mailbox] : []));
}

/**
 * Undefined: may be committed as they are.
 * @throws MailError NONEXISTENT, NOPERM with `write` = index of the culprit
 */
export async function checkWrites(
  writes: readonly Write[],
  checking: Checking,
): Promise<{ commit(options?: { id?: string }): Promise<Commit> } | undefined> {
  const replacements: Replacement[] = [];
  for (const [index, write] of writes.entries()) {
    try {
      replacements.push(await check(write, checking));
    } catch (error) {
      if (!isMailError(error)) throw error;
      throw new MailError(error.code, error.message, { cause: error.cause, write: index });
    }
  }
  if (
    replacements.every(
      (replacement, index) => replacement.writes[0] === writes[index] && !replacement.result,
    )
  ) {
    return undefined;
  }
  return { commit: (options) => commitReplaced(replacements, checking.store, options) };
}

/** Results and the index of the culprit are told in terms of what was asked for. */
async function commitReplaced(
  replacements: readonly Replacement[],
  store: MailStore,
  options: { id?: string } | undefined,
): Promise<Commit> {
  const flat = replacements.flatMap(({ writes }, index) =>
    writes.map((write) => ({ write, index })),
  );
  try {
    const { cursor, results } = await store.commit(
      flat.map(({ write }) => write),
      options,
    );
    let at = 0;
    return {
      cursor,
      results: replacements.map(({ writes, result }) => {
        const own = results.slice(at, (at += writes.length));
        return result ? result(own) : (own[0] ?? {});
      }),
    };
  } catch (error) {
    if (!isMailError(error) || error.write === undefined) throw error;
    const { code, message, cause } = error;
    throw new MailError(code, message, { cause, write: flat[error.write]?.index ?? error.write });
  }
}

const unchanged = (write: Write): Replacement => ({ writes: [write] });

async function check(write: Write, checking: Checking): Promise<Replacement> {
  const { actor } = checking;
  switch (write.op) {
    case 'append': {
      await mayReadContent(write.content, actor);
      const flags = kept(write.flags, await actor.need(write.mailbox, 'i'));
      return unchanged(flags.length === write.flags.length ? write : { ...write, flags });
    }
    case 'replace': {
      // APPEND, STORE \Deleted and EXPUNGE in one (RFC 8508 section 3.1).
      await actor.need(write.mailbox, 'r', 't', 'e');
      await mayReadContent(write.content, actor);
      const flags = kept(write.flags, await actor.need(write.to, 'i'));
      return unchanged(flags.length === write.flags.length ? write : { ...write, flags });
    }
    case 'store':
      return storeFlags(write, checking);
    case 'copy':
    case 'move': {
      // RFC 6851 section 4.1: the rights of STORE \Deleted, COPY and EXPUNGE together.
      await actor.need(
        write.mailbox,
        ...(write.op === 'copy' ? (['r'] as const) : (['r', 't', 'e'] as const)),
      );
      const rights = await actor.need(write.to, 'i');
      return mayFlagAll(rights) ? unchanged(write) : appendInstead(write, rights, checking);
    }
    case 'undelete': {
      // Only its own (actor.ts), and to where it may put messages with all their flags.
      await actor.need(write.mailbox, 'r');
      const rights = await actor.need(write.to ?? whereItWas(write.mailbox), 'i');
      if (!mayFlagAll(rights)) throw notAllowed();
      return unchanged(write);
    }
    case 'expunge':
      await actor.need(write.mailbox, 'e');
      return unchanged(write);
    case 'expectMailbox':
      await actor.need(write.mailbox, 'r');
      return unchanged(write);
    case 'deleteMailbox':
      await actor.need(write.mailbox, 'x');
      return unchanged(write);
    case 'renameMailbox':
      await mayRename(write, actor);
      return unchanged(write);
    case 'setMailbox':
      await maySet(write, actor);
      return unchanged(write);
    case 'createMailbox':
      return createUnder(write, checking);
    case 'subscribeName':
      if (write.account !== actor.id) throw notAllowed();
      return unchanged(write);
    default:
      throw notAllowed();
  }
}

async function mayReadContent(content: Content, actor: Actor): Promise<void> {
  for (const mailbox of mailboxesOf(content))
    if (!actor.owns(mailbox)) await actor.need(mailbox, 'r');
}

/** Flags that may not be set are lost; that is no failure (RFC 4314 section 4). */
export function kept(flags: readonly string[], rights: string): readonly string[] {
  return flags.filter((flag) => rights.includes(rightToFlag(flag)));
}

function mayFlagAll(rights: string): boolean {
  return ['s', 't', 'w'].every((right) => rights.includes(right));
}

/** Fails only if no flag of those named may be changed (RFC 4314 section 4). */
async function storeFlags(
  write: WriteOf<'store'>,
  { store, actor }: Checking,
): Promise<Replacement> {
  const rights = await actor.need(write.mailbox, 'r');
  if (mayFlagAll(rights)) return unchanged(write);
  const { set, add = [], remove = [], ...rest } = write;
  const named = set ?? [...add, ...remove];
  const none = named.length === 0 ? !/[stw]/.test(rights) : kept(named, rights).length === 0;
  if (none) throw notAllowed();
  if (!set) return unchanged({ ...rest, add: kept(add, rights), remove: kept(remove, rights) });
  // What may not be changed stays, so "exactly these" becomes what to add and what to take away.
  const { flagNames } = await store.open(write.mailbox);
  const wanted = new Set(set.map((flag) => flag.toLowerCase()));
  const others = flagNames.filter((flag) => !wanted.has(flag.toLowerCase()));
  return unchanged({ ...rest, add: kept(set, rights), remove: kept(others, rights) });
}

async function maySet(write: WriteOf<'setMailbox'>, actor: Actor): Promise<void> {
  const { owner, rights } = await actor.find(write.mailbox);
  // Like those of an account they are set by whoever runs the server.
  if (write.limits) throw notAllowed();
  if (owner) return;
  // What is subscribed and what it is used for is the owner's, as are private annotations.
  if (write.subscribed !== undefined || write.specialUse !== undefined) throw notAllowed();
  if (write.acl && !rights.includes('a')) throw notAllowed();
  const hidden = write.metadata?.some(([entry]) => !entry.toLowerCase().startsWith('/shared/'));
  // RFC 5464 section 3.3.
  if (write.metadata && (hidden || !/[rswip]/.test(rights))) throw notAllowed();
}

async function mayRename(write: WriteOf<'renameMailbox'>, actor: Actor): Promise<void> {
  const { owner, rights, mailbox } = await actor.find(write.mailbox);
  if (owner) return;
  if (!rights.includes('x')) throw notAllowed();
  // Within one parent it is only another name.
  if (parentOf(write.name) === parentOf(mailbox.name)) return;
  const parent = await nearestParent(write.name, mailbox.account, actor);
  await actor.need(parent.id, 'k');
}

/** The new mailbox has the ACL of its parent (RFC 4314 section 4), without which who made it could not even see it. */
async function createUnder(
  write: WriteOf<'createMailbox'>,
  { actor, mailboxId }: Checking,
): Promise<Replacement> {
  if (write.account === actor.id) return unchanged(write);
  const parent = await nearestParent(write.name, write.account, actor);
  await actor.need(parent.id, 'k');
  const mailbox = write.mailboxId ?? mailboxId();
  return {
    writes: [
      { op: 'createMailbox', account: write.account, name: write.name, mailboxId: mailbox },
      { op: 'setMailbox', mailbox, acl: parent.acl },
    ],
    result: ([made]) => made ?? {},
  };
}

/** @throws MailError NOPERM if there is none that the actor can see: the top is the owner's */
async function nearestParent(
  name: string,
  account: Guarded['account'],
  actor: Actor,
): Promise<Guarded> {
  const visible = (await actor.visible()).filter((info) => info.account === account);
  for (let parent = parentOf(name); parent !== ''; parent = parentOf(parent)) {
    const found = visible.find((info) => info.name === parent);
    if (found) return found;
  }
  throw notAllowed();
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}
