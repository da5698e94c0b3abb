/** PIPELINING (RFC 2920): commands are taken one by one from what has come (input.ts), so it needs nothing more. */
import type { Extension } from '../verb.ts';

export const pipelining: Extension = { keyword: 'PIPELINING', announce: () => 'PIPELINING' };
