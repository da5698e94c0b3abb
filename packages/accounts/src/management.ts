/** Makes, changes, lists and removes domains, accounts and aliases. */
import type { MailStore, Random } from '@mail-server-kit/core';
import type { Routing } from './routing.ts';
import { manageAccounts, type AccountManagement, type AccountParts } from './manage/accounts.ts';
import { manageAliases, type AliasManagement } from './manage/aliases.ts';
import { createChanges } from './manage/changes.ts';
import { manageDomains, type DomainManagement } from './manage/domains.ts';

/**
 * Addresses and domains are texts in any spelling; what is none is a TypeError. Every method throws MailError UNAVAILABLE if the
 * store cannot be reached.
 */
export interface Management extends DomainManagement, AccountManagement, AliasManagement {}

export interface ManagementParts extends AccountParts {
  readonly store: MailStore;
  readonly random: Random;
  readonly routing: Routing;
}

export function createManagement({
  store,
  random,
  routing,
  ...parts
}: ManagementParts): Management {
  const changes = createChanges(store, random);
  return {
    ...manageDomains(changes, routing),
    ...manageAccounts(changes, parts),
    ...manageAliases(changes, routing),
  };
}
