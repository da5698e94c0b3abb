/**
 * With listener.ts the only file that knows smtp-server from inside. Of smtp-server come the sockets: accepting, TLS contexts, the implicit
 * and the STARTTLS handshake (with its retired parser), closing, waiting for a client that reads slowly. Replaced are
 * its parser (it ends lines at LF and takes dots away behind a bare LF, has no BDAT, and runs an unfinished line when
 * the client closes), its commands (no SCRAM, no LMTP replies for repeated recipients, addresses without quotes), and
 * its wait of 100 ms before each greeting.
 */
import { TLSSocket, type CipherNameAndProtocol } from 'node:tls';
import type { Socket } from 'node:net';
import { channelBindings, isMailError } from '@mail-server-kit/core';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { Body } from './body.ts';
import {
  isHttp,
  MAX_AUTH_LINE,
  parseCommand,
  readLine,
  tooLong,
  tooLongAuth,
} from './command-line.ts';
import { verbs } from './commands/index.ts';
import { Input } from './input.ts';
import { createPatience, type Doing, type Patience } from './patience.ts';
import { ourFault, printReply, Refused, reply, replyOf, type Reply } from './reply.ts';
import {
  clientOf,
  forgetAtTls,
  newSession,
  resetTransaction,
  type Session,
  type Wire,
} from './session.ts';
import type { Settings } from './settings.ts';

const unknown = reply(500, '5.5.1', 'Command not recognized');
const refusedSession = reply(503, '5.5.1', 'No service for you, only QUIT');
type Answer = Reply | undefined | Promise<Reply | undefined>;

/** Milliseconds for what is still on its way to a client that ended. */
const END_TIME = 5000;

const closing = (enhanced: string, text: string): Reply => ({
  ...reply(421, enhanced, text),
  close: true,
});

/** What a listener asks of the service that it belongs to. */
export interface Host {
  readonly settings: Settings;
  /** Milliseconds of silence in which a client must not speak; 0: the greeting comes at once. */
  greetingDelay(remoteAddress: string): number;
  /** Undefined: it may stay. */
  admit(connection: Connection): Reply | undefined;
  gone(connection: Connection): void;
}

export class Connection extends SMTPConnection {
  readonly #host: Host;
  readonly #session: Session;
  /** Goes on with what the client sent next. */
  #release: (() => void) | undefined;
  /** AUTH waits for a line. */
  #lineWaiter: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  /** A message is being read. */
  #body: Body | undefined;
  #endOfOctets: (() => void) | undefined;
  #messageSince = 0;
  #onReady: (() => void) | undefined;
  #mustWait = false;
  #refused = false;
  #draining = false;
  #working = false;
  #badCommands = 0;
  #corked = false;
  #cancelEnd = () => {};
  readonly #patience: Patience;

  constructor(
    server: SMTPServer,
    host: Host,
    socket: Socket,
    about: { remoteAddress?: string; secure?: boolean },
  ) {
    super(
      server,
      socket,
      about.remoteAddress === undefined ? {} : { remoteAddress: about.remoteAddress },
    );
    this.#host = host;
    this.#session = newSession(host.settings, this.#wire(), {
      connection: this.id,
      remoteAddress: this.remoteAddress,
    });
    if (about.secure) this.secure = true;
    this.#patience = createPatience({
      clock: this.#settings.clock,
      limits: this.#settings.limits,
      doing: () => this.#doing(),
      late: () => {
        this.#log('timeout');
        this.#send(closing('4.4.2', 'Timeout'));
      },
    });
  }

  get #settings(): Settings {
    return this.#host.settings;
  }

  get #input(): Input | undefined {
    return (this._parser || undefined) as unknown as Input | undefined;
  }

  /** The base calls it in its constructor, before this class has fields: all is looked up when a line comes. */
  override _createParser(): ReturnType<SMTPConnection['_createParser']> {
    const input = new Input({
      maxLine: MAX_AUTH_LINE,
      line: (line, end, done) => this.#line(line, end, done),
      tooLong: (done) => this.#tooLong(done),
      ended: (done) => {
        this.#release = done;
        this.#endOfMessage();
      },
    });
    return input as unknown as ReturnType<SMTPConnection['_createParser']>;
  }

  override init(): void {
    if (this.secure) this.#secured();
    this._setListeners(() => {
      this.#endsWith(this._socket);
      const refused = this.#host.admit(this);
      if (refused) return this.#send({ ...refused, close: true });
      const delay = this.#host.greetingDelay(this.remoteAddress);
      this.#mustWait = delay > 0;
      if (delay > 0) this.#settings.clock.after(delay, () => void this.#greet());
      else void this.#greet();
    });
  }

  async #greet(): Promise<void> {
    this.#log('connection', 'debug');
    const { hostname, kind, run } = this.#settings;
    const result = await run.stage('connect', { client: clientOf(this.#session) });
    if (this._closing || this._closed) return;
    this.#session.connectTags = { tags: result.tags, discard: result.discard };
    const { refused } = result;
    if (refused && refused.code < 500)
      return this.#send(closing(refused.enhanced ?? '4.3.0', String(refused.text)));
    // RFC 5321 section 3.1: 554, and then the client is waited for to say QUIT.
    this.#refused = refused !== undefined;
    this.#send(
      refused
        ? { ...refused, code: 554 }
        : { code: 220, text: `${hostname} ${kind === 'lmtp' ? 'LMTP' : 'ESMTP'}` },
    );
    this._ready = true;
    this.#onReady?.();
    this.#onReady = undefined;
  }

  #line(line: Buffer, end: 'crlf' | 'lf', done: () => void): void {
    const { bareLineEnds } = this.#settings;
    this.#whenGreeted(done, (isContinuation) =>
      readLine(line, { end, bareLineEnds, isContinuation }),
    );
  }

  #tooLong(done: () => void): void {
    this.#whenGreeted(done, (isContinuation) => (isContinuation ? tooLongAuth : tooLong));
  }

  #whenGreeted(done: () => void, read: (isContinuation: boolean) => string | Reply): void {
    if (this._ready) return this.#take(done, read);
    if (this.#mustWait) {
      this.#log('early talker');
      return this.#send(closing('4.7.0', 'You talk too soon'));
    }
    // Who may speak at once is only kept waiting until there is a session.
    this.#onReady = () => this.#take(done, read);
  }

  #take(done: () => void, read: (isContinuation: boolean) => string | Reply): void {
    this.#release = done;
    this.#patience.progress();
    const waiter = this.#lineWaiter;
    this.#lineWaiter = undefined;
    const line = read(waiter !== undefined);
    if (waiter === undefined) {
      this.#run(() => (typeof line === 'string' ? this.#command(line) : line)).catch(
        (error: unknown) => {
          this.#log('connection failed', 'error', error);
          this.destroy();
        },
      );
    } else if (typeof line === 'string') waiter.resolve(line);
    else waiter.reject(new Refused(line));
  }

  #command(line: string): Answer {
    const command = parseCommand(line);
    if (this.#refused && command.name !== 'QUIT') return refusedSession;
    if (isHttp(command)) return closing('4.7.0', 'This is no web server');
    const verb = verbs.get(command.name);
    return verb === undefined ? unknown : verb.run(this.#session, command.argument);
  }

  /** The error boundary: whatever happens in a command, the client gets an answer and the next command its turn. */
  async #run(command: () => Answer): Promise<void> {
    let answer: Reply | undefined;
    this.#working = true;
    try {
      answer = await command();
    } catch (error) {
      answer = this.#answerTo(error);
    }
    this.#working = false;
    if (answer) this.#send(answer);
    if (answer && answer.code >= 500) this.#countBad();
    if (this.#draining && !this.#session.transaction)
      this.#send(closing('4.3.2', 'The server is shutting down'));
    const release = this.#release;
    this.#release = undefined;
    this.#patience.progress();
    if (release) this._whenWritable(release);
  }

  #answerTo(error: unknown): Reply {
    if (error instanceof Refused) return error.reply;
    // Only what may pass is told; 5xx would be a fault of ours that loses mail.
    if (isMailError(error) && error.smtp[0] < 500) return replyOf(error);
    // Who left in the middle of a command is no fault of ours.
    this.#log('command failed', this._closing || this._closed ? 'debug' : 'error', error);
    return ourFault;
  }

  #countBad(): void {
    this.#badCommands++;
    if (this.#badCommands >= this.#settings.limits.badCommands)
      this.#send(closing('4.7.0', 'Too many errors'));
  }

  #send(answer: Reply): void {
    // While the handshake runs nothing may get between its records.
    const socket = this._socket;
    if (!this._upgrading && !this._closing && !this._closed && socket.writable) {
      // Replies to pipelined commands go in one packet (RFC 2920 section 3.2).
      if (!this.#corked) {
        this.#corked = true;
        socket.cork();
        setImmediate(() => {
          this.#corked = false;
          socket.uncork();
        });
      }
      socket.write(printReply(answer), 'latin1');
    }
    if (answer.close) this.close();
  }

  #wire(): Wire {
    return {
      send: (answer) => this.#send(answer),
      readLine: () =>
        new Promise((resolve, reject) => {
          if (this._closing || this._closed) return reject(new Error('the client left'));
          this.#lineWaiter = { resolve, reject };
          this.#goOn();
        }),
      readData: () => {
        const limit = this.#settings.maxMessageOctets;
        const body = new Body({
          beyond: 2 * limit + 65_536,
          callback: () => this.#send(closing('4.3.4', 'The message is far too big')),
        });
        if (this._closing || this._closed) body.abort(new Error('the client left'));
        this.#messageBegins(body);
        this.#input?.readData(body);
        this.#goOn();
        return body;
      },
      readChunk: (size, body) =>
        new Promise((resolve) => {
          if (this._closing || this._closed) return resolve();
          this.#endOfOctets = resolve;
          if (this.#body === undefined && body) this.#messageBegins(body);
          this.#input?.readChunk(size, body);
          this.#goOn();
        }),
      startTls: () => {
        // The 220 has to be out before the socket belongs to TLS.
        this._socket.uncork();
        this.upgrade(() => this.#goOn());
      },
      bindings: () =>
        this.#settings.channelBinding && this._socket instanceof TLSSocket
          ? channelBindings(this._socket)
          : undefined,
    };
  }

  #goOn(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #messageBegins(body: Body): void {
    this.#body = body;
    this.#messageSince = this.#settings.clock.now();
    void body.closed().then(() => {
      if (this.#body === body) this.#body = undefined;
    });
  }

  #endOfMessage(): void {
    const end = this.#endOfOctets;
    this.#endOfOctets = undefined;
    end?.();
  }

  override upgrade(callback: () => void, secureCallback?: () => void): void {
    super.upgrade(callback, () => {
      this.#endsWith(this._socket);
      this.#secured();
      secureCallback?.();
    });
  }

  #secured(): void {
    forgetAtTls(this.#session);
    this.#session.secure = true;
    this.#patience.progress();
    const socket = this._socket;
    if (!(socket instanceof TLSSocket)) return;
    // Null, whatever its type says, if the client has reset the connection meanwhile.
    const cipher = socket.getCipher() as CipherNameAndProtocol | null;
    if (!cipher) return;
    this.#session.tls = {
      protocol: socket.getProtocol() ?? 'TLS',
      cipher: (cipher.standardName ?? cipher.name).replace(/[^\w-]/g, ''),
    };
  }

  /** The base would set a timer of the socket, which any octet winds up again. */
  override _armTimeout(): void {}

  #doing(): Doing {
    const body = this.#body;
    if (body && !body.isFull) {
      return { what: 'message', since: this.#messageSince, octets: this.#input?.octets ?? 0 };
    }
    const waits = this.#working && !this.#lineWaiter && !this.#endOfOctets;
    return { what: body || waits ? 'waits for us' : 'commands' };
  }

  /**
   * A client that has sent its last octet gets no more replies: Node ends our side too, and closes. But a TLS socket that is
   * reset while a reply waits to be written never says that it closed; it would stay open, and count, until the time for
   * idle clients is over.
   */
  #endsWith(socket: Socket): void {
    socket.once('end', () => {
      this.#cancelEnd = this.#settings.clock.after(END_TIME, () => socket.destroy());
    });
  }

  override close(): void {
    super.close();
    this.#giveUp();
  }

  override _onClose(): void {
    super._onClose();
    this.#giveUp();
    this.#patience.end();
    this.#cancelEnd();
    this.#host.gone(this);
  }

  /** Nothing more will come for those who wait. */
  #giveUp(): void {
    const left = new Error('the client left');
    this.#body?.abort(left);
    resetTransaction(this.#session);
    this.#lineWaiter?.reject(left);
    this.#lineWaiter = undefined;
    this.#endOfMessage();
  }

  /** A client that breaks off is no event; TLS errors are for the curious. */
  override _onError(error: Error): void {
    this.#log('connection broke', 'debug', error);
    this.close();
  }

  /** Lets the transaction under way finish, then says 421. */
  drain(): void {
    this.#draining = true;
    if (!this.#working && !this.#session.transaction)
      this.#send(closing('4.3.2', 'The server is shutting down'));
  }

  destroy(): void {
    this.close();
    this._socket.destroy();
  }

  #log(event: string, level: 'debug' | 'info' | 'error' = 'info', error?: unknown): void {
    this.#settings.log({
      level,
      service: 'smtp',
      event,
      connection: this.id,
      remoteAddress: this.remoteAddress,
      ...(error !== undefined && { error }),
    });
  }
}
