/** Domains of ours, their postmasters and catch-alls. */
import { MailError, printAddress } from '@mail-server-kit/core';
import {
  decode,
  domainKey,
  put,
  rangeOf,
  read,
  type AddressRecord,
  type DomainRecord,
} from '../records.ts';
import type { Routing } from '../routing.ts';
import { addressOf, domainText, missing, type Changes } from './changes.ts';
import { checkedTargets } from './targets.ts';

export interface Domain {
  readonly domain: string;
  readonly postmaster?: string;
  readonly catchAll?: readonly string[];
}

export interface DomainManagement {
  /** @throws MailError ALREADYEXISTS */
  addDomain(name: string): Promise<void>;
  /** @throws MailError NONEXISTENT; CANNOT while there are accounts or aliases in it */
  removeDomain(name: string): Promise<void>;
  /** Sorted by name. */
  domains(): Promise<readonly Domain[]>;
  /** Whose account gets mail for postmaster and abuse where these are no addresses of their own; at first that of the domain's first account. @throws MailError NONEXISTENT */
  setPostmaster(domain: string, address: string): Promise<void>;
  /** Where mail goes that would be for nobody; replaces what was there. @throws MailError NONEXISTENT, LIMIT */
  addCatchAll(domain: string, targets: string | readonly string[]): Promise<void>;
  /** @throws MailError NONEXISTENT */
  removeCatchAll(domain: string): Promise<void>;
}

export function manageDomains(changes: Changes, routing: Routing): DomainManagement {
  const { store, change, commit, domainOf, updateDomain, ownerOf } = changes;
  return {
    async addDomain(name) {
      const domain = domainText(name);
      const key = domainKey(domain);
      await change(async () => {
        if (await read(store, 'domain', key)) {
          throw new MailError('ALREADYEXISTS', `The domain ${domain} is there already`);
        }
        await commit([
          { op: 'expectRecord', space: 'domain', key, version: 0 },
          put('domain', key, { domain }),
        ]);
      });
    },

    async removeDomain(name) {
      const domain = domainText(name);
      await change(async () => {
        const { version } = await domainOf(domain);
        for await (const record of store.records('address', { ...rangeOf(domain), limit: 1 })) {
          const { address } = decode<AddressRecord>(record.value);
          throw new MailError('CANNOT', `The domain ${domain} still has addresses: ${address}`);
        }
        const key = domainKey(domain);
        await commit([
          { op: 'expectRecord', space: 'domain', key, version },
          { op: 'deleteRecord', space: 'domain', key },
        ]);
      });
    },

    async domains() {
      const found: Domain[] = [];
      for await (const { value } of store.records('domain'))
        found.push(decode<DomainRecord>(value));
      return found;
    },

    async setPostmaster(name, text) {
      const address = addressOf(text);
      await updateDomain(name, async (record) => {
        await ownerOf(address);
        return { ...record, postmaster: printAddress(address) };
      });
    },

    addCatchAll: (name, targets) =>
      updateDomain(name, async (record) => ({
        ...record,
        catchAll: await checkedTargets(routing, targets),
      })),

    removeCatchAll: (name) =>
      updateDomain(name, async ({ catchAll, ...record }) =>
        catchAll ? record : missing(`The domain ${record.domain} has no catch-all`),
      ),
  };
}
