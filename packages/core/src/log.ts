/** What services tell the operator. Never a password, key or text of a message. */
export interface LogEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** 'imap', 'smtp', 'storage', ... */
  readonly service: string;
  /** A few words that stay the same for the same thing, so that they can be counted: 'connection refused'. */
  readonly event: string;
  /** Identifies one connection within this process. */
  readonly connection?: string;
  readonly account?: string;
  readonly error?: unknown;
  readonly [detail: string]: unknown;
}

export type Log = (event: LogEvent) => void;

export const silent: Log = () => {};
