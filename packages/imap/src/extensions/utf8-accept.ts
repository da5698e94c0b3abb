/** UTF8=ACCEPT (RFC 6855): names in UTF-8, and messages with UTF-8 in their header. */
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
