/** Postfix as Debian ships it, on loopback, below a scratch folder: takes mail by SMTP, queues it, hands it on by LMTP. */
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { freePorts, start } from '../processes.ts';
import { idOf } from './users.ts';

export interface Postfix {
  /** Root of its process tree. */
  readonly pid: number;
  readonly smtp: number;
  /** The folders of the queue: mail has arrived when they hold no file. */
  readonly queue: readonly string[];
}

/** `name` tells several of them apart. */
export async function startPostfix(root: string, name: string, lmtp: number): Promise<Postfix> {
  const directory = join(root, `postfix-${name}`);
  const configurationDirectory = join(directory, 'conf');
  for (const folder of ['conf', 'queue', 'data']) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  chownSync(join(directory, 'data'), idOf('postfix').uid, -1);
  for (const file of readdirSync('/etc/postfix')) {
    const from = join('/etc/postfix', file);
    const wanted = /^(dynamicmaps\.cf|postfix-files)/.test(file) && statSync(from).isFile();
    if (wanted) copyFileSync(from, join(configurationDirectory, basename(file)));
  }
  const [smtp] = (await freePorts(1)) as [number];
  writeFileSync(join(configurationDirectory, 'master.cf'), services(smtp));
  writeFileSync(join(configurationDirectory, 'main.cf'), settings(directory, name, lmtp));
  const { pid, greets } = start(
    'postfix',
    ['-c', configurationDirectory, 'start-fg'],
    join(directory, 'start.log'),
  );
  await greets(smtp);
  const queue = ['maildrop', 'incoming', 'active', 'deferred'].map((name) =>
    join(directory, 'queue', name),
  );
  return { pid, smtp, queue };
}

/** Debian's list of services, with smtpd on our port and nothing in a chroot. */
function services(port: number): string {
  return readFileSync('/usr/share/postfix/master.cf.dist', 'utf8')
    .split('\n')
    .map((line) => {
      if (/^smtp +inet /.test(line)) return `127.0.0.1:${port} inet n - n - - smtpd`;
      const columns = /^([a-z]+ +unix +[-ny] +[-ny] +)y/.exec(line);
      return columns ? `${columns[1]}n${line.slice(columns[0].length)}` : line;
    })
    .join('\n');
}

function settings(directory: string, name: string, lmtp: number): string {
  return `
compatibility_level = 3.6
queue_directory = ${directory}/queue
data_directory = ${directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
multi_instance_name = postfix-${name}
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.test
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.test
virtual_transport = lmtp:inet:127.0.0.1:${lmtp}
smtpd_recipient_restrictions = permit_mynetworks, reject
smtputf8_enable = no
alias_maps =
local_recipient_maps =
maillog_file = ${directory}/log
maillog_file_prefixes = ${directory}
# What slows down a flood from one address is off: the load is one.
lmtp_destination_concurrency_limit = 20
default_process_limit = 200
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
default_database_type = hash
`;
}
