/** The contract between what has certificates (package tls) and what listens (imap, smtp, pop3, http). */
import type { SecureContext, TLSSocket } from 'node:tls';

/** What one handshake needs; asked for anew for every connection, so that a reload reaches the next one and drops none. */
export interface TlsServerOptions {
  /** For clients that name no server, or one that is not known. */
  readonly secureContext: SecureContext;
  /** Chooses by server name (SNI, RFC 6066 section 3), in any letter case and with or without a trailing dot. */
  readonly SNICallback: (
    serverName: string,
    done: (error: Error | null, context?: SecureContext) => void,
  ) => void;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly ALPNProtocols?: string[];
}

export interface TlsProvider {
  current(): TlsServerOptions;
  /** The PEM files behind the default context, for libraries that make their own; changes with each reload. */
  files(): { readonly cert: string; readonly key: string };
  /** Called after each reload. Returns the cancelling function. */
  onReload(listener: () => void): () => void;
}

/** What a session knows of its encryption. */
export interface TlsState {
  readonly protocol: string;
  readonly cipher: string;
  readonly serverName?: string;
  readonly socket: TLSSocket;
}
