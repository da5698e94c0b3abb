/** Accepts connections for one port, or for none: those within the process. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { TlsProvider } from '@mail-server-kit/core';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { Connection, type Host } from './connection.ts';

interface ListenerOptions extends SMTPServerOptions {
  readonly provider: TlsProvider | undefined;
}

export class Listener extends SMTPServer {
  readonly host: Host;

  constructor(host: Host, implicitTls: boolean) {
    const { settings } = host;
    const options: ListenerOptions = {
      name: settings.hostname,
      secure: implicitTls,
      lmtp: settings.kind === 'lmtp',
      // For handshakes; what comes after them the host counts.
      maxClients: settings.limits.connections,
      hideSTARTTLS: settings.tls === undefined,
      disableReverseLookup: true,
      logger: false,
      provider: settings.tls,
    };
    super(options);
    this.host = host;
    this.on('error', (error: Error) => {
      settings.log({ level: 'debug', service: 'smtp', event: 'connection failed', error });
    });
  }

  /** Called by the constructor of the base, and after each reload; never loads the certificate that smtp-server brings along. */
  override updateSecureContext(): void {
    const { provider } = this.options as unknown as ListenerOptions;
    this.secureContext = new Map(provider ? [['*', provider.current().secureContext]] : []);
  }

  override _resolveSNI(name: string, done: Parameters<SMTPServer['_resolveSNI']>[1]): void {
    const tls = this.host.settings.tls?.current();
    if (!tls) return done(null, undefined);
    tls.SNICallback(name, (error, context) => {
      if (error)
        this.host.settings.log({
          level: 'warn',
          service: 'smtp',
          event: 'certificate failed',
          error,
        });
      done(null, context ?? tls.secureContext);
    });
  }

  /** The base counts unfinished handshakes of all together: one address could take every place, for a minute each time. */
  override _acceptSocket(socket: Socket, handshake: boolean): (() => void) | false {
    const limit = this.host.settings.limits.connectionsPerAddress;
    let before = 0;
    for (const other of this._pendingSockets.keys()) {
      if (other.remoteAddress === socket.remoteAddress) before++;
    }
    if (before < limit) return super._acceptSocket(socket, handshake);
    socket.on('error', () => {});
    socket.destroy();
    return false;
  }

  override connect(socket: Socket | TLSSocket, about?: { remoteAddress?: string } | null): void {
    this.attach(socket, about ?? {});
  }

  attach(socket: Duplex, about: { remoteAddress?: string; secure?: boolean }): void {
    // A Duplex does all that a connection does with a socket.
    const connection = new Connection(this, this.host, socket as Socket, about);
    this.connections.add(connection);
    connection.init();
  }

  /** Takes no more; handshakes that are not done yet end. */
  async closeListener(): Promise<void> {
    for (const socket of this._pendingSockets.values()) socket.destroy();
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
