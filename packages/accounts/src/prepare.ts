/** User names and passwords in the form in which they are compared (SASLprep, RFC 4013). */
import saslprep from '@mongodb-js/saslprep';
import { MailError } from '@mail-server-kit/core';

/** Octets of a user name or password (RFC 4616 section 2 asks for at least 255). */
export const MAX_CREDENTIAL = 1024;

/**
 * What SASLprep refuses stays as it came: code points that Unicode 3.2 did not know yet (most emoji) and mixed writing
 * directions are in people's passwords, and clients whose SASLprep refuses them send them raw as well.
 */
export function prepare(text: string): string {
  try {
    return saslprep(text) || text;
  } catch {
    return text;
  }
}

export function isTooLong(text: string): boolean {
  return text.length > MAX_CREDENTIAL || Buffer.byteLength(text) > MAX_CREDENTIAL;
}

/** C0, DEL and C1: no client can type them and PLAIN cannot carry NUL (RFC 4616 section 2). */
const control = /\p{Cc}/u;

/** A new password, prepared. @throws MailError CANNOT */
export function prepareNewPassword(password: string): string {
  if (password === '') throw new MailError('CANNOT', 'The password is empty');
  if (isTooLong(password)) {
    throw new MailError('CANNOT', `The password is longer than ${MAX_CREDENTIAL} octets`);
  }
  if (control.test(password)) {
    throw new MailError('CANNOT', 'The password contains control characters');
  }
  return prepare(password);
}
