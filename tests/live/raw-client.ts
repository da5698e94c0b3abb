/** A client that does what no decent one does: sends what it is told, reads only if it is told. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { password, user } from './server.ts';

export class RawClient {
  readonly socket: net.Socket;
  /** All that came and was not yet taken by `until`. */
  #received = '';
  #look: () => void = () => {};
  closed = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#look();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#look();
    });
  }

  static async plain(port: number): Promise<RawClient> {
    const client = new RawClient(net.connect({ port, host: '127.0.0.1', noDelay: true }));
    await once(client.socket, 'connect');
    return client;
  }

  static async secure(port: number, caFile: string): Promise<RawClient> {
    const ca = readFileSync(caFile);
    const client = new RawClient(tls.connect({ port, host: 'localhost', ca }));
    client.socket.setNoDelay(true);
    await once(client.socket, 'secureConnect');
    return client;
  }

  /** Over TLS, logged in by IMAP. */
  static async imap(port: number, caFile: string): Promise<RawClient> {
    const client = await RawClient.secure(port, caFile);
    await client.until(/^\* OK .*\r\n/);
    client.send(`in LOGIN ${user} ${password}\r\n`);
    await client.until(/^in OK .*\r\n/m);
    return client;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves to what came up to the end of `pattern`. Only for the tests' own small answers. @throws if the server closes before */
  until(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        const found = pattern.exec(this.#received);
        if (found) {
          const end = found.index + found[0].length;
          const text = this.#received.slice(0, end);
          this.#received = this.#received.slice(end);
          this.#look = () => {};
          resolve(text);
        } else if (this.closed) reject(new Error(`closed, after: ${this.#received}`));
      };
      this.#look();
    });
  }

  /** Resolves to all that came until the server closed. */
  async end(): Promise<string> {
    if (!this.closed) await once(this.socket, 'close');
    return this.#received;
  }

  close(): void {
    this.socket.destroy();
  }
}
