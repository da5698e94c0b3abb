/** Flags as ready bytes. Most messages of a mailbox share a few combinations, so each is made once. */
import { MAX_FLAGS, flagsOf, systemFlags, type MailboxSnapshot } from '@mail-server-kit/core';

/** Combinations kept for one view. */
const KEPT = 1000;

export class FlagTexts {
  readonly #plain = new Map<number, Buffer>();
  readonly #recent = new Map<number, Buffer>();

  /** `(\Seen $Forwarded)`. A bit keeps its name (core/store.ts), so what was made stays right. */
  of(names: readonly string[], low: number, high: number, recent: boolean): Buffer {
    // Beyond 53 bits a number is no exact key.
    if (high > 0x1f_ffff) return make(names, low, high, recent);
    const key = high * 0x1_0000_0000 + low;
    const made = recent ? this.#recent : this.#plain;
    let text = made.get(key);
    if (!text) {
      text = make(names, low, high, recent);
      if (made.size < KEPT) made.set(key, text);
    }
    return text;
  }
}

function make(names: readonly string[], low: number, high: number, recent: boolean): Buffer {
  const flags = flagsOf(names, low, high);
  if (recent) flags.push('\\Recent');
  return Buffer.from(`(${flags.join(' ')})`);
}

/** All flags of a mailbox, the system flags among them, with spaces between. */
export function flagNamesOf({ flagNames }: MailboxSnapshot): string {
  return [...new Set([...systemFlags, ...flagNames])].join(' ');
}

/** The PERMANENTFLAGS code of a mailbox that may be changed: `\*` as long as new keywords fit (RFC 9051 section 7.1). */
export function permanentFlags(snapshot: MailboxSnapshot): readonly [code: string, text: string] {
  const names = flagNamesOf(snapshot);
  return isFull(snapshot)
    ? [`PERMANENTFLAGS (${names})`, 'No more keywords fit']
    : [`PERMANENTFLAGS (${names} \\*)`, 'Flags and new keywords are kept'];
}

function isFull({ flagNames }: MailboxSnapshot): boolean {
  return flagNames.length >= MAX_FLAGS;
}
