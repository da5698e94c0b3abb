/** What a command says to the client before its tagged response (RFC 9051 section 7). */
import { encodeUtf7, type UidRanges } from '@mail-server-kit/core';
import type { Writer } from './wire/writer.ts';

/** Whether names and header texts may go out as UTF-8. */
export interface Charset {
  readonly utf8: boolean;
}

export class Respond {
  constructor(
    readonly out: Writer,
    readonly charset: Charset,
  ) {}

  /** `* ` and the text. */
  untagged(text: string): void {
    this.out.text(`* ${text}\r\n`);
  }

  /** An untagged OK with a response code. */
  code(code: string, text: string): void {
    this.out.text(`* OK [${code}] ${text}\r\n`);
  }

  /** A mailbox name: UTF-8, or modified UTF-7 for those who did not ask for UTF-8 (RFC 9051 appendix A). */
  mailbox(name: string): void {
    const { utf8 } = this.charset;
    this.out.astring(utf8 ? name : encodeUtf7(name), utf8);
  }

  /** As `printUids`, into the output: a set of 100,000 ranges makes no string. */
  set(set: UidRanges): void {
    let comma = false;
    for (const [first, last] of set) {
      if (comma) this.out.text(',');
      comma = true;
      this.out.number(first);
      if (last !== first) this.out.text(':').number(last);
    }
  }
}
