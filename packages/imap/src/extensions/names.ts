/**
 * Names of what IMAP4rev2 has made part of the base protocol, or changes nothing but the grammar: clients of RFC 3501 look
 * for them one by one.
 */
import type { Extension } from '../extension.ts';

/** Needed before login. LITERAL+ allows all that LITERAL- does (RFC 7888 section 5: not both). */
export const early: Extension = {
  capabilities: ['SASL-IR', 'LITERAL+', 'ENABLE'],
  early: true,
};

export const late: Extension = {
  capabilities: [
    ...['NAMESPACE', 'UNSELECT', 'UIDPLUS', 'MOVE', 'CHILDREN'],
    ...['ESEARCH', 'SEARCHRES', 'LIST-EXTENDED', 'LIST-STATUS', 'STATUS=SIZE'],
  ],
};
