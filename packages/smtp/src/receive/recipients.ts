/** From a forward-path to where the mail goes, and the reply if it goes nowhere. All of it is known at RCPT, so nothing is bounced later. */
import {
  addressKey,
  isMailError,
  type Account,
  type Address,
  type Recipient,
  type Resolution,
} from '@mail-server-kit/core';
import { reply, replyOf, type Reply } from './reply.ts';
import type { Destination, Session } from './session.ts';

/** Aliases of aliases. */
const MAX_DEPTH = 10;
/** A few nested aliases must not become a bomb. */
const MAX_DESTINATIONS = 1000;

const unknown = reply(550, '5.1.1', 'No such recipient here');
const loop = reply(550, '5.4.6', 'The address is forwarded in a circle');
const fullMailbox = reply(452, '4.2.2', 'The mailbox is full');
const elsewhere = reply(550, '5.7.1', 'This server sends no mail to other domains');

export type Routed =
  { readonly destinations: readonly Destination[] } | { readonly refused: Reply };

/** What is to be routed: the message of the transaction, or a report about it. */
export interface Origin {
  readonly reversePath: Address | undefined;
  readonly account?: Account;
  /** May send elsewhere. */
  readonly isKnown: boolean;
  /** As far as they are known. */
  readonly octets: number;
}

function originOf({ account, transaction }: Session): Origin {
  const { reversePath, size = 0 } = transaction?.envelope ?? { reversePath: undefined };
  return { reversePath, isKnown: account !== undefined, octets: size, ...(account && { account }) };
}

/** @throws MailError UNAVAILABLE, and what the directory, the relay and the store throw */
export async function routeRecipient(
  session: Session,
  recipient: Recipient,
  origin = originOf(session),
): Promise<Routed> {
  const destinations: Destination[] = [];
  const seen = new Set<string>();
  const todo: { address: Address; depth: number }[] = [
    { address: recipient.forwardPath, depth: 0 },
  ];
  let circle = false;

  for (let item = todo.shift(); item !== undefined; item = todo.shift()) {
    const { address, depth } = item;
    const key = addressKey(address);
    if (seen.has(key)) {
      circle = true;
      continue;
    }
    seen.add(key);
    const resolution = await resolve(session, address);
    if (resolution.kind === 'foreign') {
      const refused = await admit(session, { ...recipient, forwardPath: address }, origin, depth);
      if (refused) return { refused };
      destinations.push({ to: 'relay', recipient: forwarded(recipient, address) });
      continue;
    }
    // An alias that leads to nobody is a mistake of the postmaster; the others of a group still get their mail.
    if (resolution.kind === 'unknown') {
      if (depth === 0) return { refused: unknown };
      continue;
    }
    if (
      depth >= MAX_DEPTH ||
      destinations.length + todo.length + resolution.routes.length > MAX_DESTINATIONS
    ) {
      return { refused: loop };
    }
    for (const route of resolution.routes) {
      if (route.to === 'address') todo.push({ address: route.address, depth: depth + 1 });
      else {
        const { account, mailbox, flags = [] } = route;
        destinations.push({ to: 'account', account, mailbox, flags });
      }
    }
  }

  if (destinations.length === 0) return { refused: circle ? loop : unknown };
  if (await full(session, destinations, origin.octets)) return { refused: fullMailbox };
  return { destinations: destinations.length > 1 ? destinations.map(quieter) : destinations };
}

/** `<Postmaster>` without a domain is ours (RFC 5321 section 4.1.1.3), if need be by our name. */
async function resolve({ settings }: Session, address: Address): Promise<Resolution> {
  const resolution = await settings.directory.resolve(address);
  if (address.domain !== '' || resolution.kind === 'routes') return resolution;
  return settings.directory.resolve({ ...address, domain: settings.hostname.toLowerCase() });
}

/** Whether mail for `recipient`, which is not of our domains, may leave through us. */
async function admit(
  session: Session,
  recipient: Recipient,
  { reversePath, account, isKnown }: Origin,
  depth: number,
): Promise<Reply | undefined> {
  const { settings } = session;
  const direct = depth === 0;
  if (direct && !isKnown) return reply(550, '5.7.1', 'Relaying denied');
  if (settings.relay === undefined) return elsewhere;
  try {
    await settings.relay.admit(recipient, {
      reversePath,
      // A forward is sent because its owner wants it, not because of who writes to it.
      ...(direct && account && { account }),
    });
    return undefined;
  } catch (error) {
    if (isMailError(error, 'NOPERM', 'LIMIT', 'UNAVAILABLE', 'THROTTLED', 'OVERQUOTA'))
      return replyOf(error);
    throw error;
  }
}

/** RFC 3461 section 5.2.6: a forward keeps whom the sender meant. */
function forwarded(recipient: Recipient, address: Address): Recipient {
  return addressKey(recipient.forwardPath) === addressKey(address)
    ? recipient
    : { ...recipient, forwardPath: address };
}

/** RFC 3461 section 5.2.7.3 (c): for an alias of several there is one report of success, from here (delivered.ts). */
function quieter(destination: Destination): Destination {
  if (destination.to === 'account') return destination;
  const { notify, ...recipient } = destination.recipient;
  if (notify === undefined || notify === 'never') return destination;
  const others = notify.filter((one) => one !== 'success');
  return { to: 'relay', recipient: { ...recipient, notify: others.length > 0 ? others : 'never' } };
}

/** Whether the message, as large as MAIL declared it, does not fit into one of the accounts. */
async function full(
  session: Session,
  destinations: readonly Destination[],
  declared: number,
): Promise<boolean> {
  const accounts = new Set(
    destinations.flatMap((one) => (one.to === 'account' ? [one.account] : [])),
  );
  for (const account of accounts) {
    const { used, limits } = await session.settings.store.usage(account);
    const octets = limits.octets ?? Infinity;
    const messages = limits.messages ?? Infinity;
    // Without a declared size a full account is full, but one with an octet left is not.
    if (used.octets + Math.max(declared, 1) > octets || used.messages + 1 > messages) return true;
  }
  return false;
}
