/** Names of mailboxes and ids of e-mails. */
import { createHash } from 'node:crypto';
import { MailError, type EmailId } from '@mail-server-kit/core';

/** Octets of UTF-8; Dovecot and Cyrus stop near there too. */
const MAX_NAME = 1000;

/**
 * The name as it is kept: NFC, and INBOX in capitals where it is the first level.
 * @throws MailError CANNOT for an empty level or control characters, LIMIT if it is too long
 */
export function mailboxName(name: string): string {
  const normal = name.normalize('NFC');
  if (Buffer.byteLength(normal) > MAX_NAME) throw new MailError('LIMIT', 'Mailbox name too long');
  const levels = normal.split('/');
  // Lone surrogates cannot be written as UTF-8.
  const bad = levels.some((level) => level === '') || hasControl(normal) || !isWellFormed(normal);
  if (bad) throw new MailError('CANNOT', 'Not a name for a mailbox');
  if (/^inbox$/i.test(levels[0] as string)) levels[0] = 'INBOX';
  return levels.join('/');
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 32 || (unit >= 127 && unit < 160) || unit === 0x2028 || unit === 0x2029) return true;
  }
  return false;
}

export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/** The id that the store gives to its n-th e-mail. */
export const emailIdOf = (number: number): EmailId => `M${number}` as EmailId;

/**
 * The number kept in a column. An id of our own form is its number; any other is a hash below zero, so that a search for
 * it finds candidates whose message record then decides.
 */
export function emailNumber(id: EmailId): number {
  const own = /^M([1-9][0-9]{0,14})$/.exec(id);
  if (own) return Number(own[1]);
  const hash = createHash('sha256').update(id).digest();
  return -1 - hash.readUIntBE(0, 6);
}
