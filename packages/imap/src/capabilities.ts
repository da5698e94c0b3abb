/** What CAPABILITY says in the state that a session is in (RFC 9051 section 6.1.1). */
import { saslMechanisms } from '@mail-server-kit/core';
import type { Session } from './session.ts';

export function capabilities(session: Session): string {
  const { wiring, peer, account } = session;
  const names = ['IMAP4rev1', 'IMAP4rev2', ...wiring.dialect.early];
  if (account) names.push(...wiring.dialect.late);
  else {
    if (!peer.secure && wiring.tls) names.push('STARTTLS');
    const mechanisms = mechanismsOf(session);
    if (mechanisms.length === 0) names.push('LOGINDISABLED');
    names.push(...mechanisms.map((name) => `AUTH=${name}`));
  }
  return `CAPABILITY ${names.join(' ')}`;
}

/** The SASL mechanisms that may be used now; none before TLS (RFC 9051 section 6.2.3). */
export function mechanismsOf({ wiring, peer }: Session): readonly string[] {
  if (!wiring.plaintextLogin(peer)) return [];
  return saslMechanisms(wiring.directory, { bindings: peer.bindings });
}
