/** Messages of a mailbox one after the other, as people and other programs name what they have. */
import { flagsOf, type MailboxSnapshot, type Uid } from '@mail-server-kit/core';

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
      yield {
        uid: uid[row] as Uid,
        size: size[row] as number,
        internalDate: internalDate[row] as number,
        flags: flagsOf(flagNames, flagsLow[row] as number, flagsHigh[row] as number),
      };
    }
  }
}
