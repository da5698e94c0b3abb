import { Duplex } from 'node:stream';

/**
 * Two ends of a connection within the process. As with TCP, a writer waits while the other end does not read, ending one
 * end ends the other's reading, and destroying one end is seen as an end by a reader and as EPIPE by a writer.
 */
export function duplexPair(options: { highWaterMark?: number } = {}): [Duplex, Duplex] {
  const a = new End(options);
  const b = new End(options);
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class End extends Duplex {
  peer!: End;
  /** Of the peer's write that this end has not asked for yet. */
  #taken: ((error?: Error | null) => void) | undefined;
  #ended = false;

  constructor({ highWaterMark }: { highWaterMark?: number }) {
    // As sockets do by default, an end that was told of the other's end finishes too.
    super({ allowHalfOpen: false, ...(highWaterMark !== undefined && { highWaterMark }) });
  }

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const { peer } = this;
    if (peer.destroyed || peer.#ended) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      return;
    }
    // A socket hands over octets later and as a copy: who writes may reuse the buffer once told.
    setImmediate(() => {
      if (peer.destroyed || peer.#ended)
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      else if (peer.push(Buffer.from(chunk))) done();
      else peer.#taken = done;
    });
  }

  override _final(done: () => void): void {
    setImmediate(() => {
      this.peer.#end();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#taken?.(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    this.#taken = undefined;
    setImmediate(() => this.peer.#end());
    done(error);
  }

  #end(): void {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    this.push(null);
  }
}
