/** The little IMAP that checking counts and filling a mailbox takes; plain text, on loopback. */
import { once } from 'node:events';
import net from 'node:net';

export class ImapClient {
  readonly #socket: net.Socket;
  #received: string[] = [];
  #tags = 0;
  /** Looks at what has come; set while a command is under way. */
  #look: () => void = () => {};
  #closed = false;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received.push(text);
      this.#look();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#look();
    });
  }

  static async login(port: number, user: string, password = 'secret'): Promise<ImapClient> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const client = new ImapClient(socket);
    await client.command(`LOGIN "${user}" "${password}"`);
    return client;
  }

  /** Sends a command, its octets as latin1; resolves to all that came up to its OK. @throws on NO, BAD and an early end */
  command(text: string): Promise<string> {
    const tag = `C${++this.#tags}`;
    const completion = new RegExp(`(?:^|\n)${tag} (OK|NO|BAD)[^\n]*\n$`);
    this.#received = [];
    this.#socket.write(`${tag} ${text}\r\n`, 'latin1');
    return new Promise((resolve, reject) => {
      this.#look = () => {
        // The tagged response is the last line, so only the end of what came has to be looked at.
        const end = completion.exec(this.#received.slice(-3).join('').slice(-1000));
        if (end?.[1] === 'OK') resolve(this.#received.join(''));
        else if (end) reject(new Error(`${text.slice(0, 60)}: ${end[0].trim()}`));
        else if (this.#closed) reject(new Error(`${text.slice(0, 60)}: closed by the server`));
      };
    });
  }

  /** Messages in `mailbox`. */
  async messages(mailbox: string): Promise<number> {
    const answer = await this.command(`STATUS ${mailbox} (MESSAGES)`);
    return Number(/\(MESSAGES (\d+)\)/.exec(answer)?.[1]);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Messages in the INBOXes of user0 to user19: what the SMTP and LMTP runs deliver to. */
export async function delivered(port: number): Promise<number> {
  let sum = 0;
  for (let i = 0; i < 20; i++) {
    const client = await ImapClient.login(port, `user${i}@example.test`);
    sum += await client.messages('INBOX');
    client.close();
  }
  return sum;
}
