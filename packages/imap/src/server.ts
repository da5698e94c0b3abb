/** Listens, counts, and hands each client to a connection of its own. */
import {
  channelBindings,
  createAccess,
  silent,
  systemClock,
  type Access,
  type Clock,
  type Directory,
  type ListenAddress,
  type Log,
  type MailStore,
  type Random,
  type Service,
  type TlsProvider,
} from '@mail-server-kit/core';
import { randomBytes } from 'node:crypto';
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { base } from './commands/index.ts';
import { Connection } from './connection.ts';
import { createDialect } from './dialect.ts';
import type { Extension } from './extension.ts';
import { allExtensions } from './extensions/index.ts';
import { defaultLimits, type ImapLimits } from './limits.ts';
import { Recent } from './recent.ts';
import { secured } from './secure.ts';
import type { Peer, Wiring } from './session.ts';

export interface ImapListener {
  /** 993 for `implicit`, 143 for `starttls` (RFC 8314 section 3.2). 0: any free port. */
  readonly port: number;
  /** Default: all addresses. */
  readonly host?: string;
  /** `implicit`: TLS from the first octet. `starttls`: plaintext, and no login before STARTTLS. */
  readonly tls: 'implicit' | 'starttls';
}

export interface ImapServerOptions {
  readonly store: MailStore;
  readonly directory: Directory;
  /** Who may do what with whose mail. Default: `createAccess({ store })`. */
  readonly access?: Access;
  /** Without it only what never leaves the process, or the machine (`plaintextLogin`), can log in. */
  readonly tls?: TlsProvider;
  /** Default: none; clients come by `connect`. */
  readonly listen?: readonly ImapListener[];
  /** `loopback`: clients of the same machine may log in without TLS. Default `never`. */
  readonly plaintextLogin?: 'never' | 'loopback';
  readonly limits?: Partial<ImapLimits>;
  /** What the ID command answers (RFC 2971). Default: the name only. */
  readonly serverId?: Readonly<Record<string, string>>;
  /** Default: `allExtensions`. */
  readonly extensions?: readonly Extension[];
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
}

export interface ImapServer extends Service {
  /** Serves a client that comes by another way than the listeners. `secure`: nobody can listen on that way. */
  connect(stream: Duplex, about?: { remoteAddress?: string; secure?: boolean }): void;
  /** Clients at this moment. */
  readonly connections: number;
}

/** @throws TypeError for options that cannot work together */
export function createImapServer(options: ImapServerOptions): ImapServer {
  return new ListeningServer(options);
}

class ListeningServer implements ImapServer {
  readonly name = 'imap';
  readonly #wiring: Wiring;
  readonly #listen: readonly ImapListener[];
  readonly #servers: Server[] = [];
  readonly #clients = new Map<Connection, Promise<void>>();
  /** Sockets that have no session yet: their handshake is under way. */
  readonly #waiting = new Set<Duplex>();
  readonly #perAddress = new Map<string, number>();
  #count = 0;
  #draining = false;

  constructor({
    store,
    directory,
    access = createAccess({ store }),
    tls,
    listen = [],
    plaintextLogin = 'never',
    limits,
    serverId = { name: 'imap-server-kit' },
    extensions = allExtensions,
    clock = systemClock,
    random = { bytes: randomBytes },
    log = silent,
  }: ImapServerOptions) {
    if (!tls && listen.some((listener) => listener.tls === 'implicit')) {
      throw new TypeError('a listener with implicit TLS needs the option tls');
    }
    this.#listen = listen;
    this.#wiring = {
      store,
      directory,
      access,
      tls,
      clock,
      random,
      log,
      limits: { ...defaultLimits, ...limits },
      dialect: createDialect([base, ...extensions], store.abilities),
      recent: new Recent(clock.now()),
      serverId,
      plaintextLogin: ({ secure, remoteAddress }) =>
        secure || (plaintextLogin === 'loopback' && isLoopback(remoteAddress)),
    };
  }

  get connections(): number {
    return this.#clients.size;
  }

  async start(): Promise<readonly ListenAddress[]> {
    this.#draining = false;
    try {
      return await Promise.all(this.#listen.map((listener) => this.#open(listener)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async drain(): Promise<void> {
    this.#draining = true;
    this.#closeServers();
    for (const stream of this.#waiting) stream.destroy();
    for (const connection of this.#clients.keys()) connection.drain('The server is going down');
    await Promise.all(this.#clients.values());
  }

  async stop(): Promise<void> {
    this.#draining = true;
    const closed = this.#closeServers();
    for (const stream of this.#waiting) stream.destroy();
    for (const connection of this.#clients.keys()) connection.destroy();
    await Promise.all([...this.#clients.values(), ...closed]);
  }

  connect(
    stream: Duplex,
    { remoteAddress, secure = false }: { remoteAddress?: string; secure?: boolean } = {},
  ): void {
    const leave = this.#enter(stream, remoteAddress);
    if (leave) this.#serve(stream, remoteAddress, secure, leave);
  }

  async #open(listener: ImapListener): Promise<ListenAddress> {
    const { log } = this.#wiring;
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      void this.#accept(socket, listener);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: listener.port, ...(listener.host && { host: listener.host }) }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // Too many open files and the like: what is there goes on, the next client tries again.
    server.on('error', (error) =>
      log({ level: 'error', service: 'imap', event: 'accept failed', error }),
    );
    const { address, port } = server.address() as AddressInfo;
    return { service: listener.tls === 'implicit' ? 'imaps' : 'imap', host: address, port };
  }

  async #accept(socket: Socket, { tls: mode }: ImapListener): Promise<void> {
    const { tls, clock, limits, log } = this.#wiring;
    const { remoteAddress } = socket;
    const leave = this.#enter(socket, remoteAddress, mode === 'implicit');
    if (!leave) return;
    if (mode === 'starttls' || !tls) return this.#serve(socket, remoteAddress, false, leave);
    this.#waiting.add(socket);
    // From the first octet on somebody has to hear of errors.
    socket.on('error', () => {});
    try {
      const secure = await secured(socket, tls, clock, limits.loginTimeout);
      this.#serve(secure, remoteAddress, true, leave);
    } catch (error) {
      log({ level: 'debug', service: 'imap', event: 'handshake failed', error });
      leave();
      socket.destroy();
    } finally {
      this.#waiting.delete(socket);
    }
  }

  /** Counts a client in; returns what counts it out, or nothing if there is no room. */
  #enter(
    stream: Duplex,
    remoteAddress: string | undefined,
    silently = false,
  ): (() => void) | undefined {
    const { limits, log } = this.#wiring;
    const network = networkOf(remoteAddress);
    const here = network === undefined ? 0 : (this.#perAddress.get(network) ?? 0);
    const full = this.#count >= limits.connections || here >= limits.connectionsPerAddress;
    if (full || this.#draining) {
      log({ level: 'warn', service: 'imap', event: 'connection refused', remoteAddress });
      stream.on('error', () => {});
      if (silently) stream.destroy();
      else {
        stream.end(
          `* BYE [UNAVAILABLE] ${full ? 'Too many connections' : 'The server is going down'}\r\n`,
        );
        stream.resume();
      }
      return undefined;
    }
    this.#count++;
    if (network !== undefined) this.#perAddress.set(network, here + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#count--;
      if (network === undefined) return;
      const still = (this.#perAddress.get(network) ?? 1) - 1;
      if (still > 0) this.#perAddress.set(network, still);
      else this.#perAddress.delete(network);
    };
  }

  #serve(
    stream: Duplex,
    remoteAddress: string | undefined,
    secure: boolean,
    leave: () => void,
  ): void {
    const { random, log } = this.#wiring;
    const peer: Peer = {
      connection: Buffer.from(random.bytes(6)).toString('hex'),
      remoteAddress,
      secure,
      bindings: stream instanceof TLSSocket ? channelBindings(stream) : undefined,
    };
    log({
      level: 'debug',
      service: 'imap',
      event: 'connection',
      connection: peer.connection,
      remoteAddress,
    });
    const connection = new Connection(stream, peer, this.#wiring);
    const served = connection.serve().finally(() => {
      this.#clients.delete(connection);
      leave();
    });
    this.#clients.set(connection, served);
    if (this.#draining) connection.drain('The server is going down');
  }

  #closeServers(): Promise<void>[] {
    return this.#servers
      .splice(0)
      .map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
  }
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address ?? '');
}

/** What counts as one client: an IPv4 address, or the /64 that one subscriber has. */
function networkOf(address: string | undefined): string | undefined {
  if (address === undefined || !isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':');
  if (tail !== undefined) while (groups.length < 4) groups.push('0');
  return groups.slice(0, 4).join(':');
}
