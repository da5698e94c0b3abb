/** Modified UTF-7, how IMAP4rev1 writes mailbox names (RFC 3501 section 5.1.3), and Maildir++ its folders. */
const AMPERSAND = 38;

export function encodeUtf7(name: string): string {
  let out = '';
  for (let i = 0; i < name.length;) {
    const code = name.charCodeAt(i);
    if (code === AMPERSAND) out += '&-';
    if (code >= 0x20 && code <= 0x7e) {
      if (code !== AMPERSAND) out += name[i];
      i++;
      continue;
    }
    let end = i;
    while (end < name.length && (name.charCodeAt(end) < 0x20 || name.charCodeAt(end) > 0x7e)) end++;
    const utf16 = Buffer.from(name.slice(i, end), 'utf16le').swap16();
    out += `&${utf16.toString('base64').replaceAll('/', ',').replaceAll('=', '')}-`;
    i = end;
  }
  return out;
}

/** Undefined: it is not modified UTF-7, or another way of writing what has one way only. */
export function decodeUtf7(name: string): string | undefined {
  let out = '';
  for (let i = 0; i < name.length;) {
    const start = name.indexOf('&', i);
    if (start < 0) {
      out += name.slice(i);
      break;
    }
    const end = name.indexOf('-', start);
    if (end < 0) return undefined;
    out += name.slice(i, start);
    if (end === start + 1) out += '&';
    else {
      const utf16 = Buffer.from(name.slice(start + 1, end).replaceAll(',', '/'), 'base64');
      if (utf16.length % 2 !== 0) return undefined;
      out += utf16.swap16().toString('utf16le');
    }
    i = end + 1;
  }
  // Two spellings of one name would be two mailboxes: only the one that we write ourselves is taken. Half a surrogate
  // pair does not survive UTF-8.
  const same = encodeUtf7(out) === name && Buffer.from(out).toString() === out;
  return same ? out : undefined;
}
