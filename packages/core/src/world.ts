/**
 * Everything that touches the world is handed in, so that tests can hand in a faulty one. `realWorld` parts are made where
 * they are used; fakes are in core/testing.
 */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `ms`; returns the cancelling function. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export interface Random {
  /** Unpredictable octets. */
  bytes(count: number): Uint8Array;
}

/** A file that is open for reading and writing at any place. All calls are synchronous: a journal has a thread of its own. */
export interface DiskFile {
  /** Writes all of `parts`, one after the other, from `position` on. @throws the system's error */
  write(parts: readonly Uint8Array[], position: number): void;
  /** Fills `into` as far as the file reaches; returns the octets read. */
  read(into: Uint8Array, position: number): number;
  size(): number;
  truncate(size: number): void;
  /** Data, and what is needed to find it, reach the disk (fdatasync). A failure is never retried as if it could succeed. */
  sync(): void;
  /** The same without waiting for it in this thread, where the system can. */
  syncApart?(): Promise<void>;
  close(): void;
}

/** The files of one directory. Names have no separators. */
export interface Disk {
  list(): string[];
  open(name: string, mode: 'read' | 'write'): DiskFile;
  remove(name: string): void;
  rename(from: string, to: string): void;
  /** Names created, removed and renamed so far are durable. */
  syncDirectory(): void;
  /** The same without waiting for it in this thread, where the system can. */
  syncDirectoryApart?(): Promise<void>;
  /** Octets that can still be written, as far as that is known. */
  free?(): number;
}

/** An outgoing connection: a duplex stream of octets. */
export interface Dialer {
  dial(
    to: { host: string; port: number; localAddress?: string },
    signal?: AbortSignal,
  ): Promise<import('node:stream').Duplex>;
}

export interface Answer<Data> {
  readonly data: readonly Data[];
  /** `secure`: validated by DNSSEC, by the resolver that was asked. `bogus` answers are errors, not data. */
  readonly dnssec: 'secure' | 'insecure';
  /** Milliseconds. */
  readonly ttl: number;
}

/** DNS. No data is an empty answer; a failure to find out is MailError UNAVAILABLE. */
export interface Resolver {
  address(name: string, family: 4 | 6): Promise<Answer<string>>;
  mx(name: string): Promise<Answer<{ preference: number; exchange: string }>>;
  txt(name: string): Promise<Answer<string>>;
  ptr(address: string): Promise<Answer<string>>;
}
