/**
 * Dovecot as Debian ships it, on loopback, below a scratch folder: IMAP and LMTP over sdbox, its fastest format that
 * keeps a file per message, or maildir. TLS is off for both sides, any address of any domain is a user, the password is
 * `secret`.
 */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, start } from '../processes.ts';
import { idOf } from './users.ts';

export interface Dovecot {
  /** Root of its process tree. */
  readonly pid: number;
  readonly imap: number;
  readonly lmtp: number;
}

export type Format = 'sdbox' | 'maildir';

export const isFormat = (name: string): name is Format => name === 'sdbox' || name === 'maildir';

export interface DovecotOptions {
  readonly root: string;
  readonly format: Format;
  /**
   * `optimized` is the default: messages are synced before OK and 250, flags and what is expunged are not. `always`: all.
   * Both serve the same mail, so that it has to be filled in once.
   */
  readonly fsync: 'optimized' | 'always';
}

export async function startDovecot({ root, format, fsync }: DovecotOptions): Promise<Dovecot> {
  const directory = join(root, `dovecot-${format}-${fsync}`);
  const mail = join(root, `mail-${format}`);
  for (const folder of [join(directory, 'run'), join(directory, 'state'), mail]) {
    mkdirSync(folder, { recursive: true });
  }
  chownSync(mail, idOf('vmail').uid, idOf('vmail').gid);
  const [imap, lmtp] = (await freePorts(2)) as [number, number];
  const file = join(directory, 'dovecot.conf');
  writeFileSync(file, configuration({ directory, mail, imap, lmtp, format, fsync }));
  const { pid, greets } = start('dovecot', ['-F', '-c', file], join(directory, 'start.log'));
  await greets(imap, lmtp);
  return { pid, imap, lmtp };
}

function configuration(at: {
  directory: string;
  mail: string;
  imap: number;
  lmtp: number;
  format: Format;
  fsync: string;
}): string {
  return `
base_dir = ${at.directory}/run
state_dir = ${at.directory}/state
log_path = ${at.directory}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = ${at.format}:${at.mail}/%u
mail_fsync = ${at.fsync}
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 1
# All clients of a benchmark come from one address.
mail_max_userip_connections = 5000
default_process_limit = 4000
default_client_limit = 10000
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=${at.mail}/%u allow_all_users=yes
}
service imap-login {
  inet_listener imap {
    port = ${at.imap}
  }
  inet_listener imaps {
    port = 0
  }
  # A login process serves many clients, as Dovecot advises for busy servers.
  process_min_avail = 2
  service_count = 0
  client_limit = 2000
}
service imap {
  process_limit = 4000
}
service anvil {
  client_limit = 9000
}
service auth {
  client_limit = 12000
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${at.lmtp}
  }
  process_min_avail = 4
}
`;
}
