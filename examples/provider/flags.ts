/** The flags of `npm start`: read, checked and explained from one table. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { parseAddress, parseDomain, printAddress } from '@mail-server-kit/core';

/** What may listen, with the ports that are tried without a flag. All are above 1023, so that root is not needed. */
const defaultPorts = {
  smtp: 2525,
  submission: 2587,
  submissions: 2465,
  imap: 2143,
  imaps: 2993,
  pop3: 2110,
  pop3s: 2995,
  lmtp: 2424,
  http: 2080,
  https: 2443,
} as const;

export type ServiceName = keyof typeof defaultPorts;
export const serviceNames = Object.keys(defaultPorts) as ServiceName[];

const explained: Record<string, { value: string; text: string; repeatable?: true }> = {
  data: {
    value: 'DIR',
    text: 'where everything is kept (default: data); twice, on two disks, for a mirror',
    repeatable: true,
  },
  'encryption-key': {
    value: 'FILE',
    text: 'the mail is encrypted with the key in this file, which is made for a new server',
  },
  domain: {
    value: 'DOMAIN',
    text: 'a domain whose mail is taken (default: example.test)',
    repeatable: true,
  },
  host: { value: 'ADDRESS', text: 'the address to listen on (default: 127.0.0.1)' },
  smtp: { value: 'PORT', text: 'mail from other servers' },
  submission: { value: 'PORT', text: 'mail from users, STARTTLS' },
  submissions: { value: 'PORT', text: 'mail from users, TLS from the first octet' },
  imap: { value: 'PORT', text: 'reading, STARTTLS' },
  imaps: { value: 'PORT', text: 'reading, TLS from the first octet' },
  pop3: { value: 'PORT', text: 'not there yet' },
  pop3s: { value: 'PORT', text: 'not there yet' },
  lmtp: { value: 'PORT', text: 'mail from a server in front of this one' },
  http: { value: 'PORT', text: 'not there yet' },
  https: { value: 'PORT', text: 'not there yet' },
  account: {
    value: 'USER@DOMAIN:PASSWORD',
    text: 'made, or given this password',
    repeatable: true,
  },
  'tls-cert': {
    value: 'FILE',
    text: 'a certificate chain in PEM (default: made by an own CA)',
    repeatable: true,
  },
  'tls-key': {
    value: 'FILE',
    text: 'its private key; one for each --tls-cert, in the same order',
    repeatable: true,
  },
};

export interface Flags {
  /** One, or the two sides of a mirror. */
  readonly data: readonly [string] | readonly [string, string];
  /** A file; absent: nothing is encrypted. */
  readonly encryptionKey: string | undefined;
  /** Never empty; those of the accounts are among them. */
  readonly domains: readonly string[];
  readonly host: string;
  /** 0: any free port. Absent: off. */
  readonly ports: Readonly<Partial<Record<ServiceName, number>>>;
  readonly accounts: readonly { readonly address: string; readonly password: string }[];
  readonly certificates: readonly { readonly cert: string; readonly key: string }[];
}

/** A flag that is unknown or makes no sense; the message is one line for whoever typed it. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/** @throws FlagError */
export function readFlags(args: readonly string[]): Flags | 'help' {
  const given = valuesOf(args);
  if (given === 'help') return 'help';
  const last = (name: string) => given.get(name)?.at(-1);
  const accounts = (given.get('account') ?? []).map(readAccount);
  const named = (given.get('domain') ?? []).map(readDomain);
  const domains = new Set([...named, ...accounts.map(({ domain }) => domain)]);
  if (domains.size === 0) domains.add('example.test');
  const certs = given.get('tls-cert') ?? [];
  const keys = given.get('tls-key') ?? [];
  if (certs.length !== keys.length)
    throw new FlagError(
      `--tls-cert and --tls-key go in pairs: ${certs.length} and ${keys.length} were given`,
    );
  return {
    data: readData(given.get('data') ?? ['data']),
    encryptionKey: last('encryption-key'),
    domains: [...domains],
    host: last('host') ?? '127.0.0.1',
    ports: Object.fromEntries(
      serviceNames.flatMap((name) => {
        const text = last(name);
        if (text === 'off') return [];
        return [[name, text === undefined ? defaultPorts[name] : readPort(name, text)]];
      }),
    ),
    accounts,
    certificates: certs.map((cert, i) => ({ cert, key: keys[i] as string })),
  };
}

/** Not `strict`: the errors of parseArgs explain more than somebody who mistyped a flag wants to read. */
function valuesOf(args: readonly string[]): Map<string, string[]> | 'help' {
  const options: ParseArgsConfig['options'] = { help: { type: 'boolean', short: 'h' } };
  for (const name of Object.keys(explained)) options[name] = { type: 'string' };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  if (tokens.some((token) => token.kind === 'option' && token.name === 'help')) return 'help';
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional')
      throw new FlagError(`'${token.value}' is not a flag; --help lists them all`);
    const { name, rawName, value } = token;
    const known = explained[name];
    if (!known)
      throw new FlagError(`there is no flag ${rawName}${hint(name)}; --help lists them all`);
    // parseArgs lets the next flag be the value of this one.
    if (!value || (!token.inlineValue && value.startsWith('--')))
      throw new FlagError(`${rawName} needs a value: ${rawName} ${known.value}`);
    const values = given.get(name) ?? [];
    if (values.length > 0 && !known.repeatable)
      throw new FlagError(`${rawName} can be given only once`);
    given.set(name, [...values, value]);
  }
  return given;
}

function readData([first = '', second, ...more]: readonly string[]): Flags['data'] {
  if (more.length > 0)
    throw new FlagError('--data can be given twice at most: a mirror has two sides');
  return second === undefined ? [first] : [first, second];
}

function readPort(name: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new FlagError(`--${name} is a port from 0 (any free one) to 65535, or off; not '${text}'`);
}

function readDomain(text: string): string {
  const domain = parseDomain(text);
  if (domain && !domain.startsWith('[')) return domain;
  throw new FlagError(`--domain is a name such as example.test; not '${text}'`);
}

/** The first colon after the at sign: a password may have colons and at signs of its own. */
function readAccount(text: string): { address: string; password: string; domain: string } {
  const colon = text.indexOf(':', text.indexOf('@'));
  const address = colon > 0 ? parseAddress(text.slice(0, colon)) : undefined;
  const password = text.slice(colon + 1);
  if (address && password)
    return { address: printAddress(address), password, domain: address.domain };
  // Without what was given: it may be a password, and stderr may be kept.
  throw new FlagError('--account is USER@DOMAIN:PASSWORD, for example user@example.test:secret');
}

/** The flag that was probably meant: the one with the fewest letters to change, if those are few. */
function hint(name: string): string {
  const [best] = Object.keys(explained)
    .map((known) => ({ known, distance: distance(name, known) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= 2 ? `; did you mean --${best.known}?` : '';
}

/** Levenshtein's: letters to insert, leave out or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

export function helpText(): string {
  const lines = Object.entries(explained).map(([name, { value, text, repeatable }]) => {
    const port = defaultPorts[name as ServiceName] as number | undefined;
    const more = [text, port && `(default: ${port})`, repeatable && '(repeatable)'];
    return `  ${`--${name} ${value}`.padEnd(31)} ${more.filter(Boolean).join(' ')}`;
  });
  return [
    'A mail server in one process: mail comes in by SMTP or LMTP and is read by IMAP.',
    '',
    'npm start -- [flags]',
    '',
    ...lines,
    `  ${'--help'.padEnd(31)} this text`,
    '',
    'A port of 0 is any free one; `off` switches a listener off.',
    '',
  ].join('\n');
}
