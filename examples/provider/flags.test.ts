import { describe, expect, it } from 'vitest';
import { helpText, readFlags, serviceNames, type Flags } from './flags.ts';

function read(...args: string[]): Flags {
  const flags = readFlags(args);
  if (flags === 'help') throw new Error('help was not asked for');
  return flags;
}

describe('the flags of npm start', () => {
  it('are all optional', () => {
    const { ports, ...rest } = read();
    expect(rest).toEqual({
      data: ['data'],
      encryptionKey: undefined,
      domains: ['example.test'],
      host: '127.0.0.1',
      accounts: [],
      certificates: [],
    });
    expect(Object.keys(ports)).toEqual(serviceNames);
  });

  it('take their value after a space or an equals sign', () => {
    expect(read('--data', 'there', '--smtp=0')).toMatchObject({
      data: ['there'],
      ports: { smtp: 0 },
    });
  });

  it('name two folders for a mirror', () => {
    expect(read('--data', 'a', '--data', 'b').data).toEqual(['a', 'b']);
  });

  it('switch a listener off', () => {
    expect(read('--pop3', 'off').ports).not.toHaveProperty('pop3');
  });

  it('add the domain of an account, which then needs no --domain of its own', () => {
    const flags = read(
      '--account',
      'a@one.test:x',
      '--domain',
      'two.test',
      '--account=b@one.test:y',
    );
    expect(flags.domains).toEqual(['two.test', 'one.test']);
  });

  it('leave colons and at signs to the password', () => {
    expect(read('--account', 'a@example.test:x:y@z').accounts).toMatchObject([
      { address: 'a@example.test', password: 'x:y@z' },
    ]);
  });

  it('pair certificates and keys in their order', () => {
    const files = '--tls-cert a --tls-key b --tls-key d --tls-cert c'.split(' ');
    expect(read(...files).certificates).toEqual([
      { cert: 'a', key: 'b' },
      { cert: 'c', key: 'd' },
    ]);
  });

  it('are listed by --help, whatever else is said', () => {
    expect(readFlags(['--nonsense', '--help'])).toBe('help');
    for (const name of serviceNames) expect(helpText()).toContain(`--${name} PORT`);
  });

  it.each([
    ['--smpt 25', 'there is no flag --smpt; did you mean --smtp?; --help lists them all'],
    ['--x 25', 'there is no flag --x; --help lists them all'],
    ['-d there', 'there is no flag -d; --help lists them all'],
    ['there', "'there' is not a flag; --help lists them all"],
    ['--data', '--data needs a value: --data DIR'],
    ['--data --smtp 0', '--data needs a value: --data DIR'],
    ['--data=', '--data needs a value: --data DIR'],
    ['--data a --data b --data c', '--data can be given twice at most: a mirror has two sides'],
    ['--host a --host b', '--host can be given only once'],
    ['--smtp 65536', "--smtp is a port from 0 (any free one) to 65535, or off; not '65536'"],
    ['--smtp 1e3', "--smtp is a port from 0 (any free one) to 65535, or off; not '1e3'"],
    ['--domain -', "--domain is a name such as example.test; not '-'"],
    ['--tls-cert a', '--tls-cert and --tls-key go in pairs: 1 and 0 were given'],
  ])('%s is refused in one line', (args, message) => {
    expect(() => read(...args.split(' '))).toThrow(expect.objectContaining({ message }));
  });

  it.each([
    'user',
    'user@example.test',
    'user@example.test:',
    '@example.test:secret',
    'secret:a@b',
  ])('an account like %s is refused without repeating what may be a password', (account) => {
    const message = '--account is USER@DOMAIN:PASSWORD, for example user@example.test:secret';
    expect(() => read('--account', account)).toThrow(expect.objectContaining({ message }));
  });
});
