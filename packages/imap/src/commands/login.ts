/** LOGIN (RFC 9051 section 6.2.3). */
import { isMailError } from '@mail-server-kit/core';
import { capabilities } from '../capabilities.ts';
import { command } from '../command.ts';
import { no } from '../outcome.ts';

export const login = command({
  name: 'LOGIN',
  state: 'not authenticated',

  parse(read) {
    const userName = read.astring('a user name');
    read.sp();
    const password = read.astring('a password');
    read.end();
    return { userName, password };
  },

  async run({ session, args, talk }) {
    const { wiring, peer } = session;
    if (!wiring.plaintextLogin(peer)) {
      throw no('PRIVACYREQUIRED', 'Use STARTTLS first: passwords are not taken in plaintext');
    }
    const context = {
      protocol: 'imap' as const,
      secure: peer.secure,
      connection: peer.connection,
      ...(peer.remoteAddress !== undefined && { remoteAddress: peer.remoteAddress }),
    };
    try {
      talk.login(await wiring.directory.login(args.userName, args.password, context));
    } catch (error) {
      if (isMailError(error)) talk.loginFailed();
      throw error;
    }
    // What may be used now is more: the client need not ask (RFC 9051 section 6.1.1).
    return `[${capabilities(session)}] Logged in`;
  },
});
