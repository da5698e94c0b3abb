/** The LIST response (RFC 9051 section 7.3.1). */
import { DELIMITER, type ListEntry } from '../list-entry.ts';
import type { Respond } from '../respond.ts';

export function listAttributes({ info, hasChildren }: ListEntry): string[] {
  // \NonExistent implies \Noselect, but a client of RFC 3501 does not know that.
  const attributes = info ? [] : ['\\Noselect', '\\NonExistent'];
  attributes.push(hasChildren ? '\\HasChildren' : '\\HasNoChildren');
  // RFC 6154 section 2 lets them be told in every LIST.
  if (info?.specialUse !== undefined) attributes.push(info.specialUse);
  return attributes;
}

/** `extended`: items of RFC 5258 section 6 with their values. */
export function writeList(
  respond: Respond,
  attributes: readonly string[],
  name: string,
  { response = 'LIST', extended = '' }: { response?: 'LIST' | 'LSUB'; extended?: string } = {},
): void {
  respond.out.text(`* ${response} (${attributes.join(' ')}) "${DELIMITER}" `);
  respond.mailbox(name);
  respond.out.text(`${extended}\r\n`);
}
