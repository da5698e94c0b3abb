/** TLS on top of a stream that is open already. */
import type { Clock, TlsProvider } from '@mail-server-kit/core';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Closed } from './wire/input.ts';

/**
 * Waits for the handshake. The certificate is the one of this moment, so a reload reaches the next connection.
 * @throws Closed if there is none within `patience`
 */
export async function secured(
  stream: Duplex,
  tls: TlsProvider,
  clock: Clock,
  patience: number,
): Promise<TLSSocket> {
  // What happens below is seen above; but an error that nobody hears ends the process.
  stream.on('error', () => {});
  const socket = new TLSSocket(stream as ConstructorParameters<typeof TLSSocket>[0], {
    isServer: true,
    ...tls.current(),
  });
  await new Promise<void>((resolve, reject) => {
    const fail = (error?: Error): void => {
      cancel();
      socket.destroy();
      reject(new Closed(`no TLS handshake: ${error?.message ?? 'the client left'}`));
    };
    const closed = (): void => fail();
    const cancel = clock.after(patience, () => fail(new Error('too slow')));
    socket.on('error', fail);
    socket.once('close', closed);
    socket.once('secure', () => {
      cancel();
      socket.off('close', closed);
      resolve();
    });
  });
  return socket;
}
