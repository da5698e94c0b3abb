/** STARTTLS (RFC 9051 section 6.2.1). The client's knowledge of capabilities is void afterwards, so none are sent with the OK. */
import { ANSWERED, command, nothing } from '../command.ts';
import { bad } from '../outcome.ts';

export const startTls = command({
  name: 'STARTTLS',
  state: 'not authenticated',
  parse: nothing,
  async run({ session, talk }) {
    if (session.peer.secure) throw bad('The connection is secure already');
    await talk.startTls('Begin TLS negotiation now');
    return ANSWERED;
  },
});
