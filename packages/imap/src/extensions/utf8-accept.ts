/**
 * UTF8=ACCEPT (RFC 6855): names in UTF-8, and messages with UTF-8 in their header. Section 4 would have APPEND refuse octets
 * above 127 in header fields from clients that did not enable it. They are taken: old mail is full of them, RFC 9051
 * section 6.3.12 permits them, and a copy from another server must not lose it.
 */
import type { Extension } from '../extension.ts';
import { bad } from '../outcome.ts';

export const utf8Accept: Extension = {
  capabilities: ['UTF8=ACCEPT'],
  enables: [{ name: 'UTF8=ACCEPT', enable: () => {} }],
  appendData: [
    {
      // RFC 6855 section 4: `UTF8 (~{...}`.
      name: 'UTF8',
      open: ' (',
      close: ')',
      check({ enabled }) {
        if (!enabled.has('UTF8=ACCEPT')) throw bad('UTF8 needs ENABLE UTF8=ACCEPT first');
      },
    },
  ],
};
