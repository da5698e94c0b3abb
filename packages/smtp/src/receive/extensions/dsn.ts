/** DSN (RFC 3461): when the sender wants to hear of a delivery, and what of the message he wants back. */
import type { DsnNotify } from '@mail-server-kit/core';
import { decodeXtext } from '../parameters.ts';
import { badArgument, type Extension } from '../verb.ts';

/** RFC 3461 sections 4.2 and 4.4, before decoding. */
const MAX_ORCPT = 500;
const MAX_ENVID = 100;
const addressType = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+$/;

export const dsn: Extension = {
  keyword: 'DSN',
  announce: () => 'DSN',
  mail: {
    RET(value, envelope) {
      const ret = value?.toUpperCase();
      if (ret !== 'FULL' && ret !== 'HDRS') return badArgument('RET is FULL or HDRS');
      envelope.ret = ret;
      return undefined;
    },
    ENVID(value, envelope) {
      const id = value === undefined || value.length > MAX_ENVID ? undefined : decodeXtext(value);
      // RFC 3461 section 4.4 wants ASCII: a report has no way to write anything else.
      if (id === undefined || !/^[ -~]+$/.test(id))
        return badArgument(`ENVID is xtext of at most ${MAX_ENVID} characters`);
      envelope.envelopeId = id;
      return undefined;
    },
  },
  rcpt: {
    NOTIFY(value, recipient) {
      const notify = value === undefined ? undefined : parseNotify(value);
      if (notify === undefined)
        return badArgument('NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY');
      recipient.notify = notify;
      return undefined;
    },
    ORCPT(value, recipient) {
      const semicolon = value?.indexOf(';') ?? -1;
      const type = value?.slice(0, semicolon) ?? '';
      const address =
        value && value.length <= MAX_ORCPT ? decodeXtext(value.slice(semicolon + 1)) : undefined;
      if (semicolon < 1 || !addressType.test(type) || !address) {
        return badArgument('ORCPT is an address type, a semicolon and an address in xtext');
      }
      recipient.originalRecipient = { type: type.toLowerCase(), address };
      return undefined;
    },
  },
};

function parseNotify(value: string): DsnNotify | undefined {
  if (value.toUpperCase() === 'NEVER') return 'never';
  const wanted = new Set<'success' | 'failure' | 'delay'>();
  for (const item of value.toLowerCase().split(',')) {
    if (item !== 'success' && item !== 'failure' && item !== 'delay') return undefined;
    wanted.add(item);
  }
  return [...wanted];
}
