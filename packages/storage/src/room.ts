/**
 * Room for octets that are being received. An owner may have as much as is still free: one alone gets half of all, two get a
 * third each, and a third stays free. So however many fill it up, whoever comes next finds room.
 */
import { MailError } from '@mail-server-kit/core';

export class StagingRoom {
  #free: number;
  readonly #owners = new Map<string, number>();

  constructor(octets: number) {
    this.#free = octets;
  }

  /** For one stage. Without an owner only the whole counts. */
  begin(owner?: string): Share {
    return new Share((octets) => {
      if (octets > 0 && octets > this.#leftFor(owner)) {
        throw new MailError('LIMIT', 'Too much is being received');
      }
      this.#free -= octets;
      if (owner === undefined) return;
      const now = (this.#owners.get(owner) ?? 0) + octets;
      if (now > 0) this.#owners.set(owner, now);
      else this.#owners.delete(owner);
    });
  }

  #leftFor(owner: string | undefined): number {
    if (owner === undefined) return this.#free;
    return (this.#free - (this.#owners.get(owner) ?? 0)) / 2;
  }
}

export class Share {
  readonly #add: (octets: number) => void;
  #octets = 0;

  constructor(add: (octets: number) => void) {
    this.#add = add;
  }

  /** @throws MailError LIMIT if there is no room for so many more */
  take(octets: number): void {
    this.#add(octets);
    this.#octets += octets;
  }

  /** What is announced is refused before it is sent. @throws MailError LIMIT */
  expect(octets: number): void {
    this.#add(octets);
    this.#add(-octets);
  }

  free(): void {
    this.#add(-this.#octets);
    this.#octets = 0;
  }
}
