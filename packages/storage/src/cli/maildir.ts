/**
 * A Maildir++ as Dovecot reads it: a directory for each mailbox, a file for each message whose name has the flags, and beside
 * them which uid each message has, so that mail programs need not load everything again.
 */
import fs from 'node:fs';
import path from 'node:path';
import { encodeUtf7 } from '@mail-server-kit/core';
import type { ListedMessage } from './messages.ts';

/** Letters of flags, in the order in which they have to stand. */
const letters: readonly (readonly [flag: string, letter: string])[] = [
  ['\\Draft', 'D'],
  ['\\Flagged', 'F'],
  ['\\Answered', 'R'],
  ['\\Seen', 'S'],
  ['\\Deleted', 'T'],
];

/** Dovecot has a letter each, a to z, for so many keywords of a mailbox. */
const KEYWORDS = 26;

/** Where a mailbox goes: INBOX is the Maildir itself, all others lie flat in it, with dots between the levels. */
export function folderOf(name: string): string {
  if (name === 'INBOX') return '.';
  // A dot inside a name is written as Dovecot's listescape plugin reads it.
  const levels = name.split('/').map((level) => encodeUtf7(level).replace(/[\\.]/g, escaped));
  return `.${levels.join('.')}`;
}

const escaped = (character: string) => `\\${character.charCodeAt(0).toString(16)}`;

export class MaildirFolder {
  readonly #directory: string;
  readonly #keywords: string[] = [];
  readonly #uids: string[] = [];

  /** @throws the system's error if something is there already */
  constructor(
    maildir: string,
    name: string,
    readonly uidValidity: number,
    readonly uidNext: number,
  ) {
    this.#directory = path.join(maildir, folderOf(name));
    for (const part of ['cur', 'new', 'tmp']) {
      fs.mkdirSync(path.join(this.#directory, part), { recursive: true, mode: 0o700 });
    }
    if (name !== 'INBOX') fs.writeFileSync(path.join(this.#directory, 'maildirfolder'), '');
  }

  /** The octets as they were received, with CRLF: they are what DKIM and OpenPGP have signed. */
  async add(message: ListedMessage, octets: AsyncIterable<Uint8Array>): Promise<void> {
    const { uid, size, internalDate } = message;
    const base = `${Math.floor(internalDate / 1000)}.M${uid}V${this.uidValidity}.kit,S=${size},W=${size}`;
    const unfinished = path.join(this.#directory, 'tmp', base);
    const file = await fs.promises.open(unfinished, 'wx', 0o600);
    try {
      for await (const chunk of octets) await file.writeFile(chunk);
      await file.utimes(internalDate / 1000, internalDate / 1000);
    } finally {
      await file.close();
    }
    const name = `${base}:2,${this.#letters(message.flags)}`;
    await fs.promises.rename(unfinished, path.join(this.#directory, 'cur', name));
    this.#uids.push(`${uid} :${base}`);
  }

  #letters(flags: readonly string[]): string {
    const system = letters.flatMap(([flag, letter]) => (flags.includes(flag) ? letter : []));
    const keywords = flags.flatMap((flag) => {
      if (flag.startsWith('\\')) return [];
      let index = this.#keywords.indexOf(flag);
      if (index < 0) {
        if (this.#keywords.length === KEYWORDS) return [];
        index = this.#keywords.push(flag) - 1;
      }
      return String.fromCharCode(97 + index);
    });
    return [...system, ...keywords.sort()].join('');
  }

  /** Writes which uids and keywords there are. */
  finish(): void {
    const { uidValidity, uidNext } = this;
    const write = (name: string, lines: readonly string[]) =>
      fs.writeFileSync(path.join(this.#directory, name), lines.map((line) => `${line}\n`).join(''));
    write('dovecot-uidlist', [`3 V${uidValidity} N${uidNext}`, ...this.#uids]);
    if (this.#keywords.length > 0) {
      write(
        'dovecot-keywords',
        this.#keywords.map((keyword, index) => `${index} ${keyword}`),
      );
    }
  }
}
