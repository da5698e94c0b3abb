/** CAPABILITY (RFC 9051 section 6.1.1). */
import { capabilities } from '../capabilities.ts';
import { command, nothing } from '../command.ts';

export const capability = command({
  name: 'CAPABILITY',
  state: 'any',
  parse: nothing,
  async run({ session, respond }) {
    respond.untagged(capabilities(session));
  },
});
