/**
 * Watches how much the disk still holds. Below a reserve nothing new is taken, so that there is room left for what frees
 * space: deleting, and the compaction that follows.
 */
import { MailError, type Clock, type Disk, type Log } from '@mail-server-kit/core';

export interface FreeSpaceOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  /** Octets that have to stay free. */
  readonly reserveOctets: number;
}

/** Others write on the same disk too. */
const LOOK_MS = 5000;

export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #scarce = false;
  #cancel = () => {};

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
    if (!options.disk.free) return;
    this.look();
    this.#later();
  }

  #later(): void {
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.look();
      this.#later();
    });
  }

  /** Also whenever the store itself takes more of it. */
  look(): void {
    const { disk, log, reserveOctets } = this.#options;
    let free: number | undefined;
    try {
      free = disk.free?.();
    } catch {
      // What cannot be known is no reason to refuse mail: a write that fails says so by itself.
    }
    const scarce = free !== undefined && free < reserveOctets;
    if (scarce === this.#scarce) return;
    this.#scarce = scarce;
    const event = scarce ? 'disk is nearly full' : 'disk has room again';
    log({ level: scarce ? 'error' : 'info', service: 'storage', event, free, reserveOctets });
  }

  /** @throws MailError FULL */
  need(): void {
    if (this.#scarce) throw full();
  }

  close(): void {
    this.#cancel();
  }
}

export const full = (): MailError => new MailError('FULL', 'The server has no room for more mail');
