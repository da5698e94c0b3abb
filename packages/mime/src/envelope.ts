/**
 * ENVELOPE (RFC 9051 section 7.5.2). Encoded-words stay encoded. Besides the ready bytes it keeps what SORT and THREAD
 * want from the same fields.
 */
import { parseAddresses, type EnvelopeAddress } from './address.ts';
import { collapse, unfold } from './header.ts';
import { imapNString, imapString } from './imap-strings.ts';

export interface EnvelopeLimits {
  /** Addresses kept per field. */
  readonly maxAddresses: number;
  /** Longest text kept. */
  readonly maxValueOctets: number;
}

type AddressField = 'from' | 'sender' | 'reply-to' | 'to' | 'cc' | 'bcc';

/** Collects the fields of one header block. Address fields that come twice are joined, of others the last counts. */
export class EnvelopeReader {
  date: string | undefined;
  subject: string | undefined;
  inReplyTo: string | undefined;
  messageId: string | undefined;
  references = '';
  readonly addresses: Partial<Record<AddressField, readonly EnvelopeAddress[]>> = {};

  constructor(readonly limits: EnvelopeLimits) {}

  /** `name` in lower case. */
  take(name: string, value: string): void {
    switch (name) {
      case 'date':
        this.date = this.#text(unfold(value));
        return;
      case 'subject':
        this.subject = this.#text(collapse(value));
        return;
      case 'in-reply-to':
        this.inReplyTo = this.#text(unfold(value));
        return;
      case 'message-id':
        this.messageId = this.#text(unfold(value));
        return;
      case 'references':
        this.references = unfold(value);
        return;
      case 'from':
      case 'sender':
      case 'reply-to':
      case 'to':
      case 'cc':
      case 'bcc':
        this.#addAddresses(name, value);
    }
  }

  #text(value: string): string | undefined {
    return value.slice(0, this.limits.maxValueOctets);
  }

  #addAddresses(name: AddressField, value: string): void {
    const before = this.addresses[name] ?? [];
    const more = parseAddresses(value, this.limits.maxAddresses - before.length);
    if (more.length > 0) this.addresses[name] = before.length > 0 ? [...before, ...more] : more;
  }

  /** Parentheses included; one character per octet. */
  render(): string {
    const { from, sender = from, 'reply-to': replyTo = from, to, cc, bcc } = this.addresses;
    const lists = [from, sender, replyTo, to, cc, bcc].map((list) => this.#list(list)).join(' ');
    const date = imapNString(this.date);
    const subject = imapNString(this.subject);
    return `(${date} ${subject} ${lists} ${imapNString(this.inReplyTo)} ${imapNString(this.messageId)})`;
  }

  #list(addresses: readonly EnvelopeAddress[] | undefined): string {
    if (!addresses) return 'NIL';
    const rows = addresses.map(({ name, route, mailbox, host }) => {
      const [n, r, m, h] = [name, route, mailbox, host].map((text) =>
        text === undefined ? 'NIL' : imapString(text.slice(0, this.limits.maxValueOctets)),
      );
      return `(${n} ${r} ${m} ${h})`;
    });
    return `(${rows.join('')})`;
  }
}
