/** createSmtpServer: one service that receives mail, on any number of ports and within the process. */
import { BlockList, isIPv6, type AddressInfo } from 'node:net';
import { hostname as systemHostname } from 'node:os';
import type { Duplex } from 'node:stream';
import {
  silent,
  systemClock,
  type Clock,
  type Directory,
  type Filter,
  type ListenAddress,
  type Log,
  type MailStore,
  type Random,
  type Relay,
  type Resolver,
  type Service,
  type TlsProvider,
} from '@mail-server-kit/core';
import { randomBytes } from 'node:crypto';
import type { Connection, Host } from './connection.ts';
import { createFilterRunner } from './filters.ts';
import { Listener } from './listener.ts';
import { createMailboxNames } from './mailboxes.ts';
import { reply } from './reply.ts';
import { createSeparated } from './separated.ts';
import type { Kind, Settings, SmtpLimits } from './settings.ts';
import { createUploads } from './uploads.ts';

export interface SmtpListen {
  /** 0: any free one. */
  readonly port: number;
  /** Default: all addresses. */
  readonly host?: string;
  /** Default 'starttls', which is offered only if there is a `tls`. */
  readonly tls?: 'implicit' | 'starttls';
}

export interface SmtpServerOptions {
  /**
   * 'mx' takes mail of strangers for our domains; who logs in (after STARTTLS) may send elsewhere too. 'submission' takes
   * mail of our users only (RFC 6409). 'lmtp' takes mail of a trusted neighbour, with a reply for each recipient (RFC 2033).
   */
  readonly kind: Kind;
  readonly store: MailStore;
  readonly directory: Directory;
  readonly listen?: readonly SmtpListen[];
  /** The name in greetings and Received fields. Default: the system's. */
  readonly hostname?: string;
  readonly tls?: TlsProvider;
  readonly filters?: readonly Filter[];
  /** Without it, mail for other domains is refused, from whomever it is. */
  readonly relay?: Relay;
  /** For filters. */
  readonly resolver?: Resolver;
  /** A bare CR or LF in a message, and a bare LF behind a command. Default 'normalize' for submission, else 'refuse'. */
  readonly bareLineEnds?: 'refuse' | 'normalize';
  /**
   * Offers SCRAM-SHA-256-PLUS, which proves to both sides that nobody is between them. Default false: GNU SASL begins it
   * wherever it is offered, and neomutt, which gives it no channel binding for SMTP, then cannot log in at all.
   */
  readonly channelBinding?: boolean;
  /** Default 50 MiB. */
  readonly maxMessageOctets?: number;
  /** Of one message. Default 1,000; RFC 5321 section 4.5.3.1.8 wants 100. */
  readonly maxRecipients?: number;
  /** Who speaks within these milliseconds after connecting is no mail server. Default 100 for 'mx', else 0. */
  readonly greetingDelay?: number;
  /** Networks (`192.0.2.0/24`) or addresses without a greeting delay. */
  readonly knownPeers?: readonly string[];
  readonly limits?: Partial<SmtpLimits>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

export interface SmtpServer extends Service {
  /** Serves a connection that was made by other means. `secure`: it is encrypted, or never leaves the process. */
  connect(stream: Duplex, about?: { remoteAddress?: string; secure?: boolean }): void;
}

const defaultLimits: Omit<SmtpLimits, 'uploadOctets'> = {
  connections: 1000,
  connectionsPerAddress: 50,
  badCommands: 20,
  badLogins: 3,
  idleTime: 300_000,
  messageTime: 1_800_000,
  hops: 30,
};

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  const { kind, greetingDelay = kind === 'mx' ? 100 : 0 } = options;
  const settings = settingsOf(options);
  const peers = networks(options.knownPeers ?? []);
  const connections = new Set<Connection>();
  const perAddress = new Map<string, number>();
  let draining = false;
  const waiting: (() => void)[] = [];

  const host: Host = {
    settings,
    greetingDelay: (address) => (address !== '' && contains(peers, address) ? 0 : greetingDelay),
    admit(connection) {
      const address = connection.remoteAddress;
      const before = perAddress.get(address) ?? 0;
      connections.add(connection);
      perAddress.set(address, before + 1);
      if (draining) return reply(421, '4.3.2', 'The server is shutting down');
      const tooMany =
        connections.size > settings.limits.connections ||
        (address !== '' && before >= settings.limits.connectionsPerAddress);
      return tooMany ? reply(421, '4.7.0', 'Too many connections') : undefined;
    },
    gone(connection) {
      if (!connections.delete(connection)) return;
      const address = connection.remoteAddress;
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
      if (connections.size === 0) for (const resolve of waiting.splice(0)) resolve();
    },
  };

  const listeners: Listener[] = [];
  const inProcess = new Listener(host, false);
  const stopReloads = options.tls?.onReload(() => {
    for (const listener of [...listeners, inProcess]) listener.updateSecureContext();
  });

  const close = () =>
    Promise.all(listeners.map((listener) => listener.closeListener())).then(() => {});

  return {
    name: kind,

    async start() {
      draining = false;
      const opened: ListenAddress[] = [];
      try {
        for (const one of options.listen ?? []) {
          const listener = new Listener(host, one.tls === 'implicit');
          listeners.push(listener);
          opened.push({ service: kind, ...(await listen(listener, one)) });
        }
      } catch (error) {
        await close();
        listeners.length = 0;
        throw error;
      }
      return opened;
    },

    async drain() {
      draining = true;
      const gone = new Promise<void>((resolve) => waiting.push(resolve));
      const closed = close();
      for (const connection of [...connections]) connection.drain();
      if (connections.size > 0) await gone;
      await closed;
    },

    async stop() {
      draining = true;
      for (const connection of [...connections]) connection.destroy();
      await close();
      listeners.length = 0;
      stopReloads?.();
      settings.mailboxes.close();
    },

    connect(stream, about = {}) {
      inProcess.attach(stream, {
        remoteAddress: about.remoteAddress ?? '',
        ...(about.secure && { secure: true }),
      });
    },
  };
}

function settingsOf(options: SmtpServerOptions): Settings {
  const { kind, store, directory, filters = [], relay, resolver, tls } = options;
  if (options.listen?.some((one) => one.tls === 'implicit') && tls === undefined) {
    throw new TypeError('listening with implicit TLS needs `tls`');
  }
  const maxMessageOctets = options.maxMessageOctets ?? 50 * 1024 * 1024;
  const limits = limitsOf(kind, maxMessageOctets, options.limits);
  const clock = options.clock ?? systemClock;
  const { log: given = silent } = options;
  // Whatever becomes of a log, it must not turn a message that is stored into a 451.
  const log: Log = (event) => {
    try {
      given(event);
    } catch {
      // Nobody is left to tell.
    }
  };
  return {
    kind,
    store,
    directory,
    filters,
    relay,
    tls,
    resolver,
    clock,
    log,
    hostname: options.hostname ?? systemHostname(),
    channelBinding: options.channelBinding ?? false,
    bareLineEnds: options.bareLineEnds ?? (kind === 'submission' ? 'normalize' : 'refuse'),
    maxMessageOctets,
    maxRecipients: options.maxRecipients ?? 1000,
    limits,
    random: options.random ?? { bytes: (count) => randomBytes(count) },
    run: createFilterRunner({ filters, store, clock, log, resolver }),
    mailboxes: createMailboxNames(store),
    separated: createSeparated(clock),
    uploads: createUploads(limits.uploadOctets),
  };
}

function limitsOf(
  kind: Kind,
  maxMessageOctets: number,
  given: Partial<SmtpLimits> = {},
): SmtpLimits {
  const limits = { ...defaultLimits, uploadOctets: 2 * maxMessageOctets };
  // All of LMTP comes from the same few neighbours.
  const { connections = limits.connections } = given;
  const neighbour = { connectionsPerAddress: connections, uploadOctets: Infinity };
  return { ...limits, ...(kind === 'lmtp' && neighbour), ...given };
}

function listen(
  listener: Listener,
  { port, host }: SmtpListen,
): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    listener.server.once('error', reject);
    listener.server.listen({ port, ...(host !== undefined && { host }) }, () => {
      listener.server.off('error', reject);
      const { address, port: opened } = listener.server.address() as AddressInfo;
      resolve({ host: address, port: opened });
    });
  });
}

function networks(written: readonly string[]): BlockList {
  const list = new BlockList();
  for (const one of written) {
    const [address = '', bits] = one.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
