/** Makes the domains and accounts that the flags name. */
import { randomBytes } from 'node:crypto';
import type { Accounts } from '@mail-server-kit/accounts';
import type { Flags } from './flags.ts';
import type { AccountNote } from './messages.ts';

/** Without an account in the flags there is `user` in the first domain, so that the first start can be tried at once. */
export async function addAccounts(directory: Accounts, flags: Flags): Promise<AccountNote[]> {
  const there = new Set((await directory.domains()).map(({ domain }) => domain));
  for (const domain of flags.domains) if (!there.has(domain)) await directory.addDomain(domain);

  if (flags.accounts.length === 0) {
    const address = `user@${flags.domains[0]}`;
    if (await directory.account(address)) return [{ address }];
    const password = newPassword();
    await directory.addAccount(address, password);
    return [{ address, password, generated: true }];
  }
  for (const { address, password } of flags.accounts) {
    if (await directory.account(address)) await directory.setPassword(address, password);
    else await directory.addAccount(address, password);
  }
  return [...flags.accounts];
}

/** 100 bits, without letters that look alike, in groups that can be read out. */
function newPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
  const password = Array.from(randomBytes(20), (octet) => letters[octet % letters.length]).join('');
  return password.replace(/.{5}(?=.)/g, '$&-');
}
