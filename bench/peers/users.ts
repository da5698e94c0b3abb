/** The system's users that the peers run as. */
import { execFileSync, spawnSync } from 'node:child_process';

/** @throws if there is no such user */
export function idOf(user: string): { readonly uid: number; readonly gid: number } {
  const number = (flag: string) =>
    Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }));
  return { uid: number('-u'), gid: number('-g') };
}

/** What keeps the peers from being started here, or undefined. Makes the user `vmail` if it may. */
export function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'Dovecot and Postfix have to be started by root';
  for (const program of ['dovecot', 'postfix']) {
    if (spawnSync('which', [program]).status !== 0) {
      return `${program} is not installed (Debian: dovecot-imapd dovecot-lmtpd postfix)`;
    }
  }
  if (spawnSync('id', ['vmail']).status !== 0) {
    const made = spawnSync('useradd', [
      '--system',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      'vmail',
    ]);
    if (made.status !== 0) return `the user vmail cannot be made: ${made.stderr.toString().trim()}`;
  }
  return undefined;
}
