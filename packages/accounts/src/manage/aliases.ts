/** Addresses that lead to others. */
import { MailError, printAddress } from '@mail-server-kit/core';
import { keyOf, put, read } from '../records.ts';
import type { Routing } from '../routing.ts';
import { addressOf, expectDomain, missing, type Changes } from './changes.ts';
import { checkedTargets } from './targets.ts';

export interface Alias {
  readonly address: string;
  readonly targets: readonly string[];
}

export interface AliasManagement {
  /**
   * Targets of ours are accounts, aliases, subaddresses; others are forwarded to.
   * @throws MailError NONEXISTENT for a domain or target of ours that is not there, ALREADYEXISTS, CANNOT for a loop, LIMIT beyond 100 targets or 1,000 addresses behind them
   */
  addAlias(address: string, targets: string | readonly string[]): Promise<void>;
  /** @throws MailError NONEXISTENT */
  removeAlias(address: string): Promise<void>;
  aliases(domain?: string): Promise<readonly Alias[]>;
}

export function manageAliases(changes: Changes, routing: Routing): AliasManagement {
  const { store, change, commit, domainOf, isTaken, addresses } = changes;
  return {
    async addAlias(text, targets) {
      const address = addressOf(text);
      const printed = printAddress(address);
      const key = keyOf(address);
      await change(async () => {
        const domain = await domainOf(address.domain);
        if (await isTaken(address)) {
          throw new MailError('ALREADYEXISTS', `The address ${printed} is taken`);
        }
        const alias = await checkedTargets(routing, targets, address);
        await commit([
          expectDomain(address.domain, domain.version),
          { op: 'expectRecord', space: 'address', key, version: 0 },
          put('address', key, { address: printed, alias }),
        ]);
      });
    },

    async removeAlias(text) {
      const address = addressOf(text);
      const key = keyOf(address);
      await change(async () => {
        const found = await read(store, 'address', key);
        if (!found || !('alias' in found.value)) {
          return missing(`There is no alias ${printAddress(address)}`);
        }
        await commit([
          { op: 'expectRecord', space: 'address', key, version: found.version },
          { op: 'deleteRecord', space: 'address', key },
        ]);
      });
    },

    async aliases(domain) {
      const found: Alias[] = [];
      for await (const entry of addresses(domain)) {
        if ('alias' in entry) found.push({ address: entry.address, targets: entry.alias });
      }
      return found;
    },
  };
}
