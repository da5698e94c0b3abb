export { createAccounts, type Accounts, type AccountsOptions } from './accounts.ts';
export type { Alias, Domain, Management, NewAccountOptions, NewMailbox } from './management.ts';
export type { HashingOptions } from './password.ts';
export type { ThrottleOptions } from './throttle.ts';
