/**
 * One socket: reads a command, runs it, answers, and only then looks at the next; but for commands that only add, which may
 * wait for the disk together (waiting-answers.ts).
 */
import { channelBindings, isMailError, MailError, type Account } from '@mail-server-kit/core';
import type { Duplex } from 'node:stream';
import { capabilities } from './capabilities.ts';
import { ANSWERED, type Command, type Completion, type Talk } from './command.ts';
import { Intake } from './intake.ts';
import { bad, no, Refusal } from './outcome.ts';
import { tellOldNames } from './old-names.ts';
import { Respond } from './respond.ts';
import { secured } from './secure.ts';
import { inState, type Peer, type Session, type Wiring } from './session.ts';
import type { Upload } from './upload.ts';
import type { Report, View } from './view.ts';
import { WaitingAnswers } from './waiting-answers.ts';
import { Closed, Input } from './wire/input.ts';
import { Fatal, Problem } from './wire/problem.ts';
import { Reader, type ReaderOptions } from './wire/reader.ts';
import { Writer } from './wire/writer.ts';

/** Milliseconds after the goodbye until the socket is closed from our side. */
const LINGER = 10_000;

/** Commands in a row before other connections get their turn. */
const FAIR = 8;

/** What the first line of a command says. */
interface Begun {
  readonly command: Command;
  readonly uid: boolean;
  /** Octets of the line up to the arguments. */
  readonly at: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Connection implements Talk {
  readonly session: Session;
  /** The session, to change. */
  readonly #state: Mutable<Session>;
  #stream: Duplex;
  #input!: Input;
  #out!: Writer;
  #respond!: Respond;
  #ending = false;
  #farewell: string | undefined;
  #idle = true;
  #line: Promise<Buffer> | undefined;
  #bads = 0;
  #failedLogins = 0;
  #tag = '*';
  /** An end that only an answer noticed is one for the command that is awaited. */
  readonly #waiting = new WaitingAnswers((error) => this.#input.interrupt(error));
  #flushes = false;

  constructor(stream: Duplex, peer: Peer, wiring: Wiring) {
    this.#stream = stream;
    const enabled = new Set<string>();
    const session: Mutable<Session> = {
      wiring,
      peer,
      enabled,
      account: undefined,
      store: undefined,
      view: undefined,
      get utf8() {
        return enabled.has('IMAP4REV2') || enabled.has('UTF8=ACCEPT');
      },
      wording: {
        besideFlags: [],
        afterRemoval: undefined,
        get recent() {
          return !enabled.has('IMAP4REV2');
        },
      },
    };
    this.#state = session;
    this.session = session as Session;
    this.#attach(stream);
  }

  /** Serves the client until one of the two ends it. Never rejects. */
  async serve(): Promise<void> {
    const { clock, limits, log } = this.session.wiring;
    const cancel = clock.after(limits.loginTimeout, () => {
      if (!this.session.account) this.#input.interrupt(new Fatal('The login took too long'));
    });
    try {
      this.#out.text(`* OK [${capabilities(this.session)}] IMAP server ready\r\n`);
      for (let count = 1; !this.#ending; count++) {
        await this.#command();
        // Hundreds of commands in one packet (mbsync) must not keep the others waiting.
        if (count % FAIR === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      // What was begun is answered first, if there still is somebody to answer.
      await this.#waiting.answered().catch(() => {});
      if (error instanceof Fatal) this.#bye(error.message, error.code);
      else if (!(error instanceof Closed)) {
        this.#log('error', 'connection failed', { error });
        this.#bye('Internal error', 'SERVERBUG');
      }
    } finally {
      cancel();
      this.session.view?.close();
      this.#out.push();
      this.#stream.end();
      // A client that never reads its goodbye must not hold the socket.
      this.#stream.once(
        'close',
        clock.after(LINGER, () => this.#stream.destroy()),
      );
      log({
        level: 'debug',
        service: 'imap',
        event: 'connection closed',
        connection: this.session.peer.connection,
      });
    }
  }

  /** Lets the command under way finish, then says BYE. */
  drain(text: string): void {
    this.#farewell ??= text;
    if (this.#idle) this.#input.interrupt(new Fatal(text, 'UNAVAILABLE'));
  }

  destroy(): void {
    this.#input.interrupt(new Closed('the server stops'));
    this.#stream.destroy();
  }

  async goAhead(text: string): Promise<void> {
    await this.#waiting.answered();
    this.#out.text(`+ ${text}\r\n`);
    await this.#out.flush();
  }

  line(): Promise<Buffer> {
    // IDLE that fails leaves a line half awaited: it is the one that comes next.
    return (this.#line ??= this.#awaitLine());
  }

  async #awaitLine(): Promise<Buffer> {
    const { limits } = this.session.wiring;
    this.#idle = true;
    try {
      return await this.#input.line({
        limit: this.#lineLimit,
        patience: limits.idleTimeout,
        impatient: 'Idle for too long',
      });
    } finally {
      this.#idle = false;
      this.#line = undefined;
    }
  }

  flush(): Promise<void> {
    return this.#out.flush();
  }

  login(account: Account): void {
    const { access } = this.session.wiring;
    if (!account.protocols.has('imap')) {
      throw new MailError('AUTHORIZATIONFAILED', 'IMAP is switched off for this account');
    }
    this.#state.account = account;
    this.#state.store = access.storeFor(account.id);
    this.#log('info', 'login', {});
  }

  loginFailed(): void {
    this.#log('info', 'login failed', { remoteAddress: this.session.peer.remoteAddress });
    if (++this.#failedLogins < this.session.wiring.limits.failedLogins) return;
    this.#farewell ??= 'Too many failed logins';
  }

  select(view: View | undefined): void {
    this.session.view?.close();
    this.#state.view = view;
  }

  async startTls(text: string): Promise<void> {
    const { tls, clock, limits } = this.session.wiring;
    if (!tls) throw bad('There is no TLS here');
    // Whatever came in plaintext behind STARTTLS may be somebody else's (RFC 9051 section 6.2.1): it is forgotten, here
    // and in the socket, before the client can have begun its handshake.
    const dropped = this.#input.drop();
    if (dropped > 0) this.#log('warn', 'plaintext after STARTTLS dropped', { octets: dropped });
    this.#out.text(`${this.#tag} OK ${text}\r\n`).push();
    this.#input.release();
    const socket = await secured(this.#stream, tls, clock, limits.loginTimeout);
    this.#attach(socket);
    this.#bads = 0;
    this.#state.enabled.clear();
    this.#state.peer = { ...this.session.peer, secure: true, bindings: channelBindings(socket) };
  }

  end(): void {
    this.#ending = true;
  }

  #attach(stream: Duplex): void {
    const { clock, limits } = this.session.wiring;
    this.#stream = stream;
    this.#out = new Writer(stream, clock, limits.stallTimeout);
    this.#input = new Input(stream, clock, () => this.#out.flush());
    this.#respond = new Respond(this.#out, this.session);
  }

  get #lineLimit(): number {
    const { limits } = this.session.wiring;
    return this.session.account ? limits.lineOctets : limits.lineBeforeLogin;
  }

  get #reading(): ReaderOptions {
    return { utf8Names: this.session.utf8, depth: this.session.wiring.limits.depth };
  }

  async #command(): Promise<void> {
    if (this.#farewell !== undefined) throw new Fatal(this.#farewell, 'UNAVAILABLE');
    this.#tag = '*';
    const line = await this.line();
    const { limits } = this.session.wiring;
    const intake = new Intake(line, {
      input: this.#input,
      limits,
      stranger: this.session.account === undefined,
      reading: this.#reading,
      goAhead: () => this.goAhead('OK'),
    });
    try {
      const begun = this.#begin(line);
      if (!begun.command.overlaps || this.#waiting.isFull) await this.#waiting.answered();
      const runsAt = (before: Buffer): void => void this.#prepare(begun, before);
      const octets = await intake.gather(begun.command.streams ? runsAt : undefined);
      await this.#run(begun, octets, intake.upload);
    } catch (error) {
      if (!isEnd(error)) await this.#waiting.answered();
      this.#refuse(error);
    }
    await intake.discard();
    if (this.#out.full) await this.#out.flush();
  }

  #begin(line: Buffer): Begun {
    const read = new Reader(line);
    const tag = read.tag();
    // Of what is no tag the first letters are none either: `a+b` is answered with `*`.
    if (read.atEnd || read.next === ' ') this.#tag = tag;
    read.sp();
    let name = read.keyword('a command');
    const uid = name === 'UID';
    if (uid) {
      read.sp();
      name = read.keyword('a command');
    }
    const command = this.session.wiring.dialect.commands.get(name);
    if (!command || (uid && !command.uid)) {
      throw new Problem(`Unknown command ${uid ? 'UID ' : ''}${name.slice(0, 32)}`);
    }
    if (!inState(this.session, command.state)) {
      throw bad(`${name} is for the ${command.state} state (RFC 9051 section 3)`);
    }
    return { command, uid, at: line.length - read.rest().length };
  }

  /** Reads the arguments, behind the name of the command and a space. */
  #prepare({ command, uid, at }: Begun, octets: Buffer) {
    const { dialect, limits } = this.session.wiring;
    const read = new Reader(octets, { ...this.#reading, at });
    if (!read.atEnd) read.sp();
    return { run: command.prepare(read, { dialect, limits, uid }), oldNames: read.oldNames };
  }

  async #run(begun: Begun, octets: Buffer, upload: Upload | undefined): Promise<void> {
    const { command, uid } = begun;
    const { session } = this;
    const { run, oldNames } = this.#prepare(begun, octets);
    if (command.writes && session.view?.readOnly) {
      throw no('READ-ONLY', 'The mailbox was opened with EXAMINE');
    }
    const expunges = uid || !command.holdsNumbers;
    const report = async (options?: Pick<Report, 'spare'>): Promise<void> => {
      await session.view?.report(this.#respond, session.wording, { ...options, expunges, uid });
    };
    // A command works on the mailbox as it is when it begins, but the numbers in its arguments are those of before.
    if (command.state === 'selected') await this.#lookFirst();
    let completion: Completion;
    try {
      completion = await run({
        tag: this.#tag,
        uid,
        session,
        respond: this.#respond,
        talk: this,
        upload,
        report,
      });
    } catch (error) {
      if (isEnd(error)) throw error;
      await this.#waiting.answered();
      // What has changed meanwhile is told in any case, before the tagged response.
      await report();
      throw error;
    }
    if (completion === ANSWERED) return;
    const tag = this.#tag;
    const complete = async (text = `${uid ? 'UID ' : ''}${command.name} completed`) => {
      await report();
      await tellOldNames(session, this.#respond, oldNames);
      this.#out.text(`${tag} OK ${text}\r\n`);
    };
    if (typeof completion !== 'object') return complete(completion ?? undefined);
    this.#waiting.add(completion.later, completion.octets, async (later) => {
      try {
        await complete(await later);
      } catch (error) {
        if (isEnd(error)) throw error;
        await report();
        this.#refuse(error, tag);
      }
      this.#flushSoon();
    });
  }

  /** Answers that come while the next command is awaited go out together. */
  #flushSoon(): void {
    if (this.#flushes) return;
    this.#flushes = true;
    setImmediate(() => {
      this.#flushes = false;
      this.#out.flush().catch((error: Error) => this.#input.interrupt(error));
    });
  }

  async #lookFirst(): Promise<void> {
    const { view, wording } = this.session;
    await view?.report(this.#respond, wording, { expunges: false, uid: false });
  }

  /** The tagged response of a command that failed. */
  #refuse(error: unknown, tag = this.#tag): void {
    if (error instanceof Refusal) return this.#answer(tag, error.status, error);
    if (error instanceof Problem) {
      this.#answer(tag, 'BAD', error);
      // Whoever speaks HTTP to us, or guesses, is not let go on for long.
      if (!this.session.account && ++this.#bads >= this.session.wiring.limits.badBeforeLogin) {
        throw new Fatal('Too many commands that are none');
      }
      return;
    }
    if (isMailError(error)) {
      if (error.cause !== undefined) this.#log('warn', 'command refused', { error });
      return this.#answer(tag, 'NO', { code: error.imap, message: error.message });
    }
    if (isEnd(error)) throw error;
    this.#log('error', 'command failed', { error });
    const message = 'Internal error, the operator was told';
    this.#answer(tag, 'NO', { code: 'SERVERBUG', message });
  }

  #answer(
    tag: string,
    status: string,
    { code, message }: { readonly code?: string | undefined; readonly message: string },
  ): void {
    this.#out.text(`${tag} ${status} ${code ? `[${code}] ` : ''}${oneLine(message)}\r\n`);
  }

  #bye(text: string, code?: string): void {
    this.#out.text(`* BYE ${code ? `[${code}] ` : ''}${oneLine(text)}\r\n`);
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', event: string, details: object): void {
    const { wiring, peer, account } = this.session;
    wiring.log({
      level,
      service: 'imap',
      event,
      connection: peer.connection,
      ...(account && { account: account.id }),
      ...details,
    });
  }
}

function isEnd(error: unknown): boolean {
  return error instanceof Closed || error instanceof Fatal;
}

/** Texts may hold what a client sent: no line end of it reaches the answer. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f]/g, ' ');
}
