import type { Duplex } from 'node:stream';
import { MailError } from '../errors.ts';
import type { Answer, Dialer, Resolver } from '../world.ts';
import { duplexPair } from './duplex-pair.ts';

/** What DNS knows of one name; for reverse lookups the name is the IP address itself. */
export interface FakeRecords {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly mx?: readonly (readonly [preference: number, exchange: string])[];
  readonly txt?: readonly string[];
  readonly ptr?: readonly string[];
  /** Default: insecure. */
  readonly dnssec?: 'secure' | 'insecure';
  /** Milliseconds; default 300,000. */
  readonly ttl?: number;
  /** Every question about it is UNAVAILABLE. */
  readonly fails?: boolean;
}

/** Names are found in any letter case, with or without a dot at the end. `zone` may be changed while it is asked. */
export function fakeResolver(zone: Readonly<Record<string, FakeRecords>>): Resolver {
  const plain = (name: string) => name.toLowerCase().replace(/\.$/, '');

  async function ask<Data>(
    name: string,
    of: (records: FakeRecords) => readonly Data[] | undefined,
  ): Promise<Answer<Data>> {
    const found = Object.entries(zone).find(([known]) => plain(known) === plain(name));
    const records = found?.[1] ?? {};
    if (records.fails) throw new MailError('UNAVAILABLE', `No answer about ${name}`);
    return {
      data: of(records) ?? [],
      dnssec: records.dnssec ?? 'insecure',
      ttl: records.ttl ?? 300_000,
    };
  }

  return {
    address: (name, family) => ask(name, ({ a, aaaa }) => (family === 4 ? a : aaaa)),
    mx: (name) =>
      ask(name, ({ mx }) => mx?.map(([preference, exchange]) => ({ preference, exchange }))),
    txt: (name) => ask(name, ({ txt }) => txt),
    ptr: (address) => ask(address, ({ ptr }) => ptr),
  };
}

type Destination = Parameters<Dialer['dial']>[0];

export interface FakeDialer extends Dialer {
  /** To where connections were asked for, in order. */
  readonly dialed: readonly Destination[];
}

/**
 * Connections within the process: `handlers` by `host:port` get the other end of each. Everything else refuses
 * (ECONNREFUSED); a handler that throws makes the connection fail with that error.
 */
export function fakeDialer(
  handlers: Readonly<
    Record<string, (connection: Duplex, from: Destination) => void | Promise<void>>
  >,
): FakeDialer {
  const dialed: Destination[] = [];
  return {
    dialed,
    async dial(to, signal) {
      signal?.throwIfAborted();
      dialed.push(to);
      const handler = handlers[`${to.host}:${to.port}`];
      if (!handler) {
        const error = new Error(`connect ECONNREFUSED ${to.host}:${to.port}`);
        throw Object.assign(error, { code: 'ECONNREFUSED', syscall: 'connect' });
      }
      const [ours, theirs] = duplexPair();
      await handler(theirs, to);
      signal?.throwIfAborted();
      return ours;
    },
  };
}
