/** Calls between two threads, in both directions over one port. Errors of the contract keep their code. */
import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import { MailError, isMailError, type Reason } from '@mail-server-kit/core';

export type Port = Worker | MessagePort;

/** What one side offers. A value wrapped by `moved` takes its memory along. */
export type Handlers = Readonly<Record<string, (args: never) => unknown>>;
type Returned<F> = F extends (args: never) => infer R ? Awaited<R> : never;
type Arguments<F> = F extends (args: infer A) => unknown ? A : never;

type Message =
  | { readonly call: number; readonly name: string; readonly args: unknown }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly code: Reason | undefined; readonly error: Error };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const buffers = new WeakMap<object, readonly Transferable[]>();

/** `value`, whose `transfer` goes to the other thread instead of being copied. */
export function moved<T extends object>(value: T, transfer: readonly ArrayBufferLike[]): T {
  buffers.set(value, transfer as readonly Transferable[]);
  return value;
}

export class Calls<Theirs extends Handlers> {
  readonly #port: Port;
  readonly #own: Handlers;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended: Error | undefined;
  /** Called when a first call is under way, and when none is any more. */
  onBusy = (_busy: boolean): void => {};

  constructor(port: Port, own: Handlers) {
    this.#port = port;
    this.#own = own;
    const listener = (message: Message) => this.#take(message);
    // The two have overloads that do not unite.
    if ('threadId' in port) port.on('message', listener);
    else port.on('message', listener);
  }

  call<Name extends keyof Theirs & string>(
    name: Name,
    args: Arguments<Theirs[Name]>,
  ): Promise<Returned<Theirs[Name]>> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const call = ++this.#last;
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject });
      if (this.#waiting.size === 1) this.onBusy(true);
      this.#post({ call, name, args }, args);
    });
  }

  #post(message: Message, value: unknown): void {
    const transfer = typeof value === 'object' && value !== null ? (buffers.get(value) ?? []) : [];
    this.#port.postMessage(message, transfer);
  }

  #take(message: Message): void {
    if ('call' in message) {
      void this.#answer(message);
      return;
    }
    const waiting = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    if ('value' in message) waiting?.resolve(message.value);
    else {
      const { code, error } = message;
      waiting?.reject(code ? new MailError(code, error.message, { cause: error.cause }) : error);
    }
    if (this.#waiting.size === 0) this.onBusy(false);
  }

  async #answer({ call, name, args }: Extract<Message, { call: number }>): Promise<void> {
    try {
      const value = await this.#own[name]?.(args as never);
      this.#post({ answer: call, value }, value);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#post({ answer: call, code: isMailError(error) ? error.code : undefined, error }, error);
    }
  }

  /** The other side is gone: whoever waits gets this error. */
  end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
