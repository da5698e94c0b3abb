/** What the provider says: on stdout what to do next, on stderr what went wrong, one line each. */
import { isIPv6 } from 'node:net';
import { isMailError, type LogEvent } from '@mail-server-kit/core';
import { FlagError, type Flags, type ServiceName } from './flags.ts';

/** Where something listens. */
export interface Open {
  readonly name: ServiceName;
  readonly host: string;
  readonly port: number;
}

export interface AccountNote {
  readonly address: string;
  /** Absent: it was there before, and nobody can read its password. */
  readonly password?: string;
  /** It was made by us and is shown this one time. */
  readonly generated?: boolean;
}

export interface Started {
  readonly data: string;
  readonly open: readonly Open[];
  readonly accounts: readonly AccountNote[];
  /** What a client has to trust, and a host name that it has. */
  readonly trust: { readonly file: string; readonly name: string | undefined };
  /** Switched on, but there is nothing yet that could listen. */
  readonly later: readonly ServiceName[];
}

const purposes: Partial<Record<ServiceName, string>> = {
  smtp: 'mail from other servers; STARTTLS',
  submission: 'mail from users; STARTTLS',
  submissions: 'mail from users; TLS',
  lmtp: 'mail from a server in front',
  imap: 'reading; STARTTLS',
  imaps: 'reading; TLS',
};

/** Ends with the `ready` line, which scripts wait for. */
export function startMessage(started: Started): string {
  const { data, open, accounts, trust, later } = started;
  const lines = [`data         ${data}`];
  for (const at of open) lines.push(`${at.name.padEnd(12)} ${print(at)}  ${purposes[at.name]}`);
  if (later.length > 0) lines.push(`not there yet, so nothing listens: ${later.join(', ')}`);
  if (trust.name === undefined)
    lines.push(
      `certificate  ${trust.file} has no host name in its subjectAltName, so most programs refuse it`,
    );
  for (const { address, password, generated } of accounts) {
    if (generated) lines.push(`account      ${address}  password ${password}  (shown only now)`);
    else if (password) lines.push(`account      ${address}  password as given`);
    else
      lines.push(
        `account      ${address}  exists; --account ${address}:PASSWORD sets a new password`,
      );
  }
  lines.push(...nextSteps(started));
  lines.push(['ready', ...open.map((at) => `${at.name}=${print(at)}`)].join(' '));
  return `${lines.join('\n')}\n`;
}

/** Lines to paste into another terminal: one mail in, and out again. */
function nextSteps({ open, accounts, trust }: Started): string[] {
  const [account] = accounts;
  const find = (...names: readonly ServiceName[]) =>
    names.map((name) => open.find((at) => at.name === name)).find((at) => at !== undefined);
  const door = find('smtp', 'lmtp');
  const reading = find('imaps', 'imap');
  if (!account) return [];
  const steps: string[] = [];
  if (door) {
    const protocol = door.name === 'lmtp' ? ' --protocol LMTP' : '';
    steps.push(
      `swaks${protocol} --server ${near(door)} --from you@example.net --to ${quoted(account.address)} --header 'Subject: Hello' --body 'It works'`,
    );
  }
  if (reading && trust.name !== undefined) {
    const { name, port } = reading;
    const login = account.password ? `${account.address}:${account.password}` : account.address;
    const resolve =
      trust.name === 'localhost' ? '' : ` --resolve ${trust.name}:${port}:${near(reading, false)}`;
    const starttls = name === 'imap' ? ' --ssl-reqd' : '';
    steps.push(
      `curl --cacert ${quoted(trust.file)}${resolve}${starttls} --user ${quoted(login)} '${name}://${trust.name}:${port}/INBOX;MAILINDEX=*'`,
    );
  }
  return steps.length > 0
    ? [
        '',
        'To send a mail and read it, in another terminal:',
        ...steps.map((step) => `  ${step}`),
        '',
      ]
    : [];
}

function print({ host, port }: { host: string; port: number }): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** As seen from this machine: `0.0.0.0` is where to listen, not where to connect. */
function near({ host, port }: Open, withPort = true): string {
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  if (withPort) return print({ host: address, port });
  return isIPv6(address) ? `[${address}]` : address;
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** One line for whoever started us. */
export function explain(error: unknown, flags?: Flags): string {
  if (error instanceof FlagError || isMailError(error)) return error.message;
  const { code, port, syscall, path, message } = error as NodeJS.ErrnoException & { port?: number };
  if (flags && (syscall === 'listen' || syscall === 'getaddrinfo')) {
    const name = (Object.keys(flags.ports) as ServiceName[]).find(
      (each) => flags.ports[each] === port,
    );
    const at = print({ host: flags.host, port: port ?? 0 });
    if (code === 'EADDRINUSE')
      return `${at} is in use by another program; --${name} PORT chooses another port, 0 any free one`;
    if (code === 'EACCES')
      return `${at} may not be opened by this user; --${name} PORT chooses another port`;
    return `--host ${flags.host} is no address of this machine`;
  }
  const reason = code && reasons[code];
  return reason && path ? `${path}: ${reason}` : (message.split('\n', 1)[0] as string);
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EEXIST: 'is a file, not a directory',
  ENOENT: 'cannot be made there',
  ENOSPC: 'the disk is full',
};

/** What needs the operator's eye goes to stderr, an event a line; the rest is silent. */
export function log({ level, service, event, error, ...details }: LogEvent): void {
  if (level !== 'warn' && level !== 'error') return;
  const parts = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
  if (error instanceof Error)
    parts.push(level === 'error' ? (error.stack ?? error.message) : error.message);
  console.error([new Date().toISOString(), level, service, event, ...parts].join(' '));
}
