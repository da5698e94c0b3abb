/** LOGOUT (RFC 9051 section 6.1.3): BYE comes before the tagged OK. */
import { command, nothing } from '../command.ts';

export const logout = command({
  name: 'LOGOUT',
  state: 'any',
  parse: nothing,
  async run({ respond, talk }) {
    talk.select(undefined);
    respond.untagged('BYE Logging out');
    talk.end();
  },
});
