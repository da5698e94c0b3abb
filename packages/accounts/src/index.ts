export { createAccounts, type Accounts, type AccountsOptions } from './accounts.ts';
export type { AccountManagement, NewAccountOptions, NewMailbox } from './manage/accounts.ts';
export type { Alias, AliasManagement } from './manage/aliases.ts';
export type { Domain, DomainManagement } from './manage/domains.ts';
export type { Management } from './management.ts';
export type { HashingOptions } from './password.ts';
export type { ThrottleOptions } from './throttle.ts';
