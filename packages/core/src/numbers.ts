/**
 * Numbers that must not be mixed up, as branded types. All are plain numbers at run time and survive structuredClone.
 */

/** An opaque identifier: at most 64 octets of `A-Z a-z 0-9 _ -`. Never given twice. */
export type Id<Name extends string> = string & { readonly __id: Name };

/** The unit of quota, encryption key, sharding, export and destruction. */
export type AccountId = Id<'account'>;
/** Survives RENAME (RFC 8474 section 4.1). */
export type MailboxId = Id<'mailbox'>;
/** The same in every copy of a message within one account (RFC 8474 section 5.1). */
export type EmailId = Id<'email'>;
/** RFC 8474 section 5.2. */
export type ThreadId = Id<'thread'>;
/** Octets on their way in; lost at restart unless a commit names them. */
export type StageId = Id<'stage'>;
/** Position in a store's stream of commits. Opaque to all but the store that gave it. */
export type Cursor = Id<'cursor'>;

/** 1 to 4,294,967,295; strictly ascending within a mailbox (RFC 9051 section 2.3.1.1). */
export type Uid = number & { readonly __uid: true };
/** 1 to 4,294,967,295 (RFC 9051 section 2.3.1.1). */
export type UidValidity = number & { readonly __uidValidity: true };
/** One counter per account, from 1, below 2^53 (RFC 7162 section 3.1 allows 63 bits; JavaScript 53). */
export type ModSeq = number & { readonly __modSeq: true };
/** Log sequence number of a journal record, from 1, below 2^53. */
export type Lsn = number & { readonly __lsn: true };

export const MAX_UID = 0xffff_ffff as Uid;

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws TypeError if `text` is not 1 to 64 octets of `A-Z a-z 0-9 _ -` */
export function asId<I extends Id<string>>(text: string): I {
  if (!idPattern.test(text)) throw new TypeError(`not an identifier: ${JSON.stringify(text)}`);
  return text as I;
}
