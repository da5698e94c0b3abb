/**
 * The one file that knows smtp-server from inside. Of smtp-server come the sockets: accepting, TLS contexts, the implicit
 * and the STARTTLS handshake (with its retired parser), closing, waiting for a client that reads slowly. Replaced are
 * its parser (it ends lines at LF and takes dots away behind a bare LF, has no BDAT, and runs an unfinished line when
 * the client closes), its commands (no SCRAM, no LMTP replies for repeated recipients, addresses without quotes), and
 * its wait of 100 ms before each greeting.
 */
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Socket } from 'node:net';
import { channelBindings, isMailError, type Clock, type TlsProvider } from '@mail-server-kit/core';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { Body } from './body.ts';
import { verbs } from './commands/index.ts';
import { Input } from './input.ts';
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

/** RFC 4954 section 4: for AUTH and what follows it. */
const MAX_AUTH_LINE = 12_288;
/** RFC 5321 section 4.5.3.1.4 has 512; SIZE, BODY, SMTPUTF8 and DSN add to it, ORCPT alone 500. */
const MAX_LINE = 2048;

const tooLong = reply(500, '5.5.2', 'Line too long');
const tooLongAuth = reply(500, '5.5.6', 'Authentication exchange line is too long');
const bareLf = reply(500, '5.5.2', 'Lines end with CRLF (RFC 5321 section 2.3.8)');
const noText = reply(500, '5.5.2', 'A command is printable text in UTF-8');
const unknown = reply(500, '5.5.1', 'Command not recognized');
const refusedSession = reply(503, '5.5.1', 'No service for you, only QUIT');
type Answer = Reply | undefined | Promise<Reply | undefined>;

const closing = (enhanced: string, text: string): Reply => ({
  ...reply(421, enhanced, text),
  close: true,
});

/** A browser that was tricked into talking to us sends a request first; its body could hold commands. */
const http = /^(?:GET|POST|PUT|HEAD|OPTIONS|DELETE|TRACE|CONNECT|PATCH) /i;
// eslint-disable-next-line no-control-regex
const control = /[\0-\x1f\x7f]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a listener asks of the service that it belongs to. */
export interface Host {
  readonly settings: Settings;
  /** Milliseconds of silence in which a client must not speak; 0: the greeting comes at once. */
  greetingDelay(remoteAddress: string): number;
  /** Undefined: it may stay. */
  admit(connection: Connection): Reply | undefined;
  gone(connection: Connection): void;
}

interface ListenerOptions extends SMTPServerOptions {
  readonly provider: TlsProvider | undefined;
}

/** One port, or none: connections within the process. */
export class Listener extends SMTPServer {
  readonly host: Host;

  constructor(host: Host, implicitTls: boolean) {
    const { settings } = host;
    const options: ListenerOptions = {
      name: settings.hostname,
      secure: implicitTls,
      lmtp: settings.kind === 'lmtp',
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

  override connect(socket: Socket | TLSSocket, about?: { remoteAddress?: string } | null): void {
    this.attach(socket, about ?? {});
  }

  attach(socket: Duplex, about: { remoteAddress?: string; secure?: boolean }): void {
    // A Duplex does all that a connection does with a socket.
    const connection = new Connection(this, socket as Socket, about);
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
  #whenReady: (() => void) | undefined;
  #mustWait = false;
  #refused = false;
  #draining = false;
  #working = false;
  #badCommands = 0;
  #corked = false;
  #progress: number;
  #octetsSeen = 0;
  #cancelTimer = () => {};

  constructor(
    listener: Listener,
    socket: Socket,
    about: { remoteAddress?: string; secure?: boolean },
  ) {
    super(
      listener,
      socket,
      about.remoteAddress === undefined ? {} : { remoteAddress: about.remoteAddress },
    );
    this.#host = listener.host;
    this.#session = newSession(listener.host.settings, this.#wire(), {
      connection: this.id,
      remoteAddress: this.remoteAddress,
    });
    if (about.secure) this.secure = true;
    this.#progress = this.#clock.now();
  }

  get #settings(): Settings {
    return this.#host.settings;
  }

  get #clock(): Clock {
    return this.#host.settings.clock;
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
      const refused = this.#host.admit(this);
      if (refused) return this.#send({ ...refused, close: true });
      const delay = this.#host.greetingDelay(this.remoteAddress);
      this.#mustWait = delay > 0;
      if (delay > 0) this.#clock.after(delay, () => void this.#greet());
      else void this.#greet();
    });
  }

  async #greet(): Promise<void> {
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
    this.#whenReady?.();
    this.#whenReady = undefined;
  }

  #line(line: Buffer, end: 'crlf' | 'lf', done: () => void): void {
    if (!this._ready) {
      if (this.#mustWait) {
        this.#log('early talker');
        return this.#send(closing('4.7.0', 'You talk too soon'));
      }
      // Who may speak at once is only kept waiting until there is a session.
      this.#whenReady = () => this.#line(line, end, done);
      return;
    }
    this.#release = done;
    this.#progress = this.#clock.now();
    const waiter = this.#lineWaiter;
    const text = this.#text(line, end, waiter !== undefined);
    if (waiter) {
      this.#lineWaiter = undefined;
      if (typeof text === 'string') waiter.resolve(text);
      else waiter.reject(new Refused(text));
      return;
    }
    void this.#run(typeof text === 'string' ? () => this.#command(text) : () => text);
  }

  #tooLong(done: () => void): void {
    this.#release = done;
    this.#progress = this.#clock.now();
    const waiter = this.#lineWaiter;
    this.#lineWaiter = undefined;
    if (waiter) waiter.reject(new Refused(tooLongAuth));
    else if (this._ready) void this.#run(() => tooLong);
    else this.#send(closing('4.7.0', 'You talk too soon'));
  }

  #text(line: Buffer, end: 'crlf' | 'lf', isContinuation: boolean): string | Reply {
    if (end === 'lf' && this.#settings.bareLineEnds === 'refuse') return bareLf;
    if (line.length > MAX_LINE && !isContinuation && !/^auth /i.test(line.toString('latin1', 0, 5)))
      return tooLong;
    try {
      const text = utf8.decode(line);
      return control.test(text) ? noText : text;
    } catch {
      return noText;
    }
  }

  #command(line: string): Answer {
    const space = line.indexOf(' ');
    const name = (space < 0 ? line : line.slice(0, space)).toUpperCase();
    const argument = space < 0 ? '' : line.slice(space + 1).trim();
    if (this.#refused && name !== 'QUIT') return refusedSession;
    if (http.test(line)) return closing('4.7.0', 'This is no web server');
    return verbs.get(name)?.run(this.#session, argument) ?? (verbs.has(name) ? undefined : unknown);
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
    this.#progress = this.#clock.now();
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
        this._socket instanceof TLSSocket ? channelBindings(this._socket) : undefined,
    };
  }

  #goOn(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #messageBegins(body: Body): void {
    this.#body = body;
    this.#messageSince = this.#clock.now();
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
      this.#secured();
      secureCallback?.();
    });
  }

  #secured(): void {
    forgetAtTls(this.#session);
    this.#session.secure = true;
    this.#progress = this.#clock.now();
    const socket = this._socket;
    if (!(socket instanceof TLSSocket)) return;
    const cipher = socket.getCipher();
    this.#session.tls = {
      protocol: socket.getProtocol() ?? 'TLS',
      cipher: (cipher.standardName ?? cipher.name).replace(/[^\w-]/g, ''),
    };
  }

  /** The base would ask the socket; ours asks the clock, and counts what is done, not what trickles. */
  override _armTimeout(): void {
    this.#cancelTimer();
    const { limits } = this.#settings;
    this.#cancelTimer = this.#clock.after(Math.max(1, Math.floor(limits.idleTime / 5)), () => {
      if (this._closed) return;
      if (this.#isLate()) {
        this.#log('timeout');
        this.#send(closing('4.4.2', 'Timeout'));
        return;
      }
      this._armTimeout();
    });
  }

  #isLate(): boolean {
    const { limits } = this.#settings;
    const now = this.#clock.now();
    const octets = this.#input?.octets ?? 0;
    if (this.#body) {
      if (now - this.#messageSince > limits.messageTime) return true;
      if (octets !== this.#octetsSeen) this.#progress = now;
    } else if (this.#working && !this.#lineWaiter && !this.#endOfOctets) {
      // The client waits for us, not we for it.
      return false;
    }
    this.#octetsSeen = octets;
    return now - this.#progress >= limits.idleTime;
  }

  override close(): void {
    super.close();
    this.#giveUp();
  }

  override _onClose(): void {
    super._onClose();
    this.#giveUp();
    this.#cancelTimer();
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
