/**
 * How long a client is waited for. Progress is a complete command, or octets of a message; a command that trickles in
 * octet by octet is none. Time in which the client waits for us does not count.
 */
import type { Clock } from '@mail-server-kit/core';

/** What a client is doing, as far as waiting goes. */
export type Doing =
  /** It owes us a command, or a line of AUTH. */
  | { readonly what: 'commands' }
  /** It owes us octets of a message that began at `since`; `octets`: what has come so far on this connection. */
  | { readonly what: 'message'; readonly since: number; readonly octets: number }
  | { readonly what: 'waits for us' };

export interface Patience {
  /** The client did something, or we answered. */
  progress(): void;
  end(): void;
}

export interface PatienceOptions {
  readonly clock: Clock;
  readonly limits: { readonly idleTime: number; readonly messageTime: number };
  readonly doing: () => Doing;
  /** Called once. */
  readonly late: () => void;
}

export function createPatience({ clock, limits, doing, late }: PatienceOptions): Patience {
  let last = clock.now();
  let seen = 0;
  let cancel = () => {};

  function isLate(): boolean {
    const now = clock.now();
    const state = doing();
    if (state.what === 'waits for us') {
      last = now;
      return false;
    }
    if (state.what === 'message') {
      if (now - state.since > limits.messageTime) return true;
      if (state.octets !== seen) last = now;
      seen = state.octets;
    }
    return now - last >= limits.idleTime;
  }

  function look(): void {
    // One timer that looks now and then is cheaper than one that is set anew with every packet.
    cancel = clock.after(Math.max(1, Math.floor(limits.idleTime / 5)), () => {
      if (isLate()) late();
      else look();
    });
  }

  look();
  return {
    progress() {
      last = clock.now();
    },
    end() {
      cancel();
    },
  };
}
