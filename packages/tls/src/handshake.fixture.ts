/** Real handshakes over loopback. */
import { once } from 'node:events';
import { createServer, isIP, type AddressInfo, type Socket } from 'node:net';
import { checkServerIdentity, connect, TLSSocket, type ConnectionOptions } from 'node:tls';
import type { TlsProvider } from '@mail-server-kit/core';

export interface EchoServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Takes its options anew for each connection, as the listeners of the protocols do. */
export async function tlsServer(provider: TlsProvider): Promise<EchoServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const secured = new TLSSocket(socket, { isServer: true, ...provider.current() });
    secured.on('error', () => socket.destroy());
    secured.pipe(secured);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function open(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { host = 'localhost', ...rest } = options;
  // The name to check is not where we connect to: everything is on loopback here.
  const socket = connect({
    port,
    servername: isIP(host) ? '' : host,
    ...rest,
    host: '127.0.0.1',
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
  await Promise.race([
    once(socket, 'secureConnect'),
    once(socket, 'error').then(([error]) => Promise.reject(error)),
  ]);
  return socket;
}

export interface Handshake {
  readonly authorized: boolean;
  readonly protocol: string | null;
  readonly cipher: string;
  readonly names: string | undefined;
}

export async function handshake(port: number, options: ConnectionOptions = {}): Promise<Handshake> {
  const socket = await open(port, options);
  const result = {
    authorized: socket.authorized,
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().name,
    names: socket.getPeerCertificate().subjectaltname,
  };
  socket.destroy();
  return result;
}
