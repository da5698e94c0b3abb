/**
 * Values as IMAP writes them (RFC 9051 section 9: `nstring`, `string`). Texts have one character per octet.
 */

/** Quoted where a quoted string can hold it, else a literal: octets above 127 have no place in it for clients of RFC 3501. */
export function imapString(value: string): string {
  let escape = false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    // No string of IMAP holds NUL, not even a literal.
    if (code === 0) return imapString(value.replaceAll('\0', '?'));
    if (code > 126 || code === 13 || code === 10) return literal(value);
    if (code === 34 || code === 92) escape = true;
  }
  if (!escape) return `"${value}"`;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function literal(value: string): string {
  const text = value.includes('\0') ? value.replaceAll('\0', '?') : value;
  return `{${text.length}}\r\n${text}`;
}

export function imapNString(value: string | undefined): string {
  return value === undefined ? 'NIL' : imapString(value);
}
