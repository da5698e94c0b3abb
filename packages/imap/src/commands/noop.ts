/** NOOP (RFC 9051 section 6.1.2): the client asks for news, which follow every command by themselves. */
import { command, nothing } from '../command.ts';

export const noop = command({ name: 'NOOP', state: 'any', parse: nothing, run: async () => {} });
