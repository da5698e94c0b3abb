/** Messages of a mailbox one after the other, as people and other programs name what they have. */
import type { MailboxSnapshot, Uid } from '@mail-server-kit/core';

export interface ListedMessage {
  readonly uid: Uid;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly internalDate: number;
  readonly flags: readonly string[];
}

export function* messagesOf({ blocks, flagNames }: MailboxSnapshot): Generator<ListedMessage> {
  for (const { uid, size, internalDate, flagsLow, flagsHigh } of blocks) {
    for (let row = 0; row < uid.length; row++) {
      const low = flagsLow[row] as number;
      const high = flagsHigh[row] as number;
      const has = (bit: number) => (bit < 32 ? (low >>> bit) & 1 : (high >>> (bit - 32)) & 1);
      yield {
        uid: uid[row] as Uid,
        size: size[row] as number,
        internalDate: internalDate[row] as number,
        flags: flagNames.filter((_, bit) => has(bit)),
      };
    }
  }
}
