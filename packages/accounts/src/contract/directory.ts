/** What every Directory promises. Asserts with node:assert and runs under any test runner that has `describe` and `it`. */
import assert from 'node:assert/strict';
import {
  isMailError,
  makeScramCredentials,
  parseAddress,
  type Account,
  type Address,
  type Directory,
  type LoginContext,
  type Protocol,
  type Reason,
  type Resolution,
} from '@mail-server-kit/core';

/** Of any test runner. */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

export interface Inhabitants {
  /** `protocols`: those that are on. */
  readonly accounts: readonly {
    readonly address: string;
    readonly password: string;
    readonly protocols: readonly Protocol[];
  }[];
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

/** Who has to be in a directory for the suite: these and nobody else. Its only domain is example.org. */
export const inhabitants: Inhabitants = {
  accounts: [
    {
      address: 'alice@example.org',
      password: 'correct horse',
      protocols: ['imap', 'pop3', 'submission', 'jmap', 'sieve', 'web'],
    },
    { address: 'bob@example.org', password: 'Grüße an alle', protocols: ['imap'] },
  ],
  aliases: {
    'info@example.org': ['alice@example.org'],
    'all@example.org': ['alice@example.org', 'bob@example.org'],
    'away@example.org': ['carol@elsewhere.example'],
  },
};

const imap: LoginContext = { protocol: 'imap', secure: true };
const pop3: LoginContext = { protocol: 'pop3', secure: true };
type Person = readonly [userName: string, password: string];
const alice: Person = ['alice@example.org', 'correct horse'];
const bob: Person = ['bob@example.org', 'Grüße an alle'];

/** `open` gives a fresh directory with `inhabitants`; it is opened once per promise. */
export function directoryContract(
  { describe, it }: Runner,
  open: (inhabitants: Inhabitants) => Promise<Directory & { close?(): Promise<void> }>,
): void {
  const promise = (name: string, body: (directory: Directory) => Promise<void>) =>
    it(name, async () => {
      const directory = await open(inhabitants);
      try {
        await body(directory);
      } finally {
        await directory.close?.();
      }
    });

  describe('resolve', () => {
    const ends = async (directory: Directory, resolution: Resolution) => {
      assert.equal(resolution.kind, 'routes');
      const names = new Map<string, string>();
      for (const person of [alice, bob]) {
        const { id, address } = await directory.login(...person, imap);
        names.set(id, address);
      }
      return resolution.routes
        .map((route) =>
          route.to === 'account'
            ? names.get(route.account)
            : `forward to ${route.address.localPart}@${route.address.domain}`,
        )
        .sort();
    };
    const table: readonly (readonly [name: string, address: string, ends: readonly string[]])[] = [
      ['an account gets its own mail', 'alice@example.org', ['alice@example.org']],
      ['the letter case of the domain does not matter', 'bob@EXAMPLE.Org', ['bob@example.org']],
      ['an alias leads to its target', 'info@example.org', ['alice@example.org']],
      ['or to several', 'all@example.org', ['alice@example.org', 'bob@example.org']],
      ['or elsewhere', 'away@example.org', ['forward to carol@elsewhere.example']],
    ];
    for (const [name, address, expected] of table) {
      promise(name, async (directory) => {
        const resolution = await directory.resolve(to(address));
        assert.deepEqual(await ends(directory, resolution), expected);
      });
    }

    promise(
      'tells an unknown address of ours from a domain that is not ours',
      async (directory) => {
        assert.deepEqual(await directory.resolve(to('nobody@example.org')), { kind: 'unknown' });
        const foreign: Resolution = { kind: 'foreign' };
        assert.deepEqual(await directory.resolve(to('alice@elsewhere.example')), foreign);
        assert.deepEqual(await directory.resolve(to('alice@sub.example.org')), foreign);
      },
    );
  });

  describe('login', () => {
    promise(
      'lets in with the right password, whatever the case of the domain',
      async (directory) => {
        const account = await directory.login(...alice, imap);
        assert.equal(account.address, 'alice@example.org');
        const again = await directory.login('alice@EXAMPLE.org', alice[1], imap);
        assert.equal(again.id, account.id);
        const other = await directory.login(...bob, imap);
        assert.notEqual(other.id, account.id);
        assert.deepEqual([...other.protocols], ['imap']);
      },
    );

    promise(
      'refuses a wrong password, an unknown user and what is no user name alike',
      async (directory) => {
        const refusals = [
          await refusal(directory.login(alice[0], 'wrong', imap)),
          await refusal(directory.login(alice[0], '', imap)),
          await refusal(directory.login(alice[0], bob[1], imap)),
          await refusal(directory.login('nobody@example.org', alice[1], imap)),
          await refusal(directory.login('nobody@elsewhere.example', alice[1], imap)),
          await refusal(directory.login('not an address', alice[1], imap)),
          await refusal(directory.login('', '', imap)),
          await refusal(directory.login(alice[0], 'x'.repeat(100_000), imap)),
        ];
        const [first] = refusals;
        assert.equal(first?.code, 'AUTHENTICATIONFAILED');
        for (const each of refusals) assert.deepEqual(each, first);
      },
    );

    promise('tells of a protocol that is off only to who knows the password', async (directory) => {
      await directory.login(...alice, pop3);
      await fails('AUTHORIZATIONFAILED', directory.login(...bob, pop3));
      await fails('AUTHENTICATIONFAILED', directory.login(bob[0], 'wrong', pop3));
    });

    promise('lets nobody act for another, and anybody for themselves', async (directory) => {
      const account = await directory.login(...alice, imap, alice[0]);
      assert.equal(account.address, alice[0]);
      await fails('AUTHORIZATIONFAILED', directory.login(...alice, imap, bob[0]));
      await fails('AUTHORIZATIONFAILED', directory.login(...alice, imap, 'nobody@example.org'));
      await fails('AUTHENTICATIONFAILED', directory.login(alice[0], 'wrong', imap, bob[0]));
    });
  });

  describe('scram, if it is offered', () => {
    const offered = (
      name: string,
      body: (scram: NonNullable<Directory['scram']>) => Promise<void>,
    ) =>
      promise(name, async (directory) => {
        if (directory.scram) await body(directory.scram.bind(directory));
      });

    offered('gives credentials of the password (RFC 5802 section 3)', async (scram) => {
      for (const [userName, password] of [alice, bob]) {
        const { credentials, settle } = await scram(userName, imap);
        assert.ok(credentials.iterations >= 4096, 'RFC 7677 section 4');
        const made = await makeScramCredentials(password, credentials);
        assert.deepEqual(plain(credentials), plain(made));
        assert.equal((await settle(true)).address, userName);
      }
    });

    offered('refuses without a proof', async (scram) => {
      const attempt = await scram(alice[0], imap);
      await fails('AUTHENTICATIONFAILED', attempt.settle(false));
    });

    offered(
      'makes up credentials for an unknown user: always the same, and worth nothing',
      async (scram) => {
        const name = 'nobody@example.org';
        const first = await scram(name, imap);
        const second = await scram(name, imap);
        const other = await scram('nobody.else@example.org', imap);
        const known = await scram(alice[0], imap);
        assert.deepEqual(plain(first.credentials), plain(second.credentials));
        assert.notDeepEqual(first.credentials.salt, other.credentials.salt);
        assert.equal(first.credentials.iterations, known.credentials.iterations);
        assert.equal(first.credentials.salt.length, known.credentials.salt.length);
        const refusals = [
          await refusal(first.settle(true)),
          await refusal(second.settle(false)),
          await refusal(known.settle(false)),
        ];
        for (const each of refusals) assert.deepEqual(each, refusals[0]);
        await fails('AUTHENTICATIONFAILED', other.settle(true));
      },
    );

    offered('asks for the same rights as a password does', async (scram) => {
      await fails('AUTHORIZATIONFAILED', (await scram(bob[0], pop3)).settle(true));
      await fails('AUTHENTICATIONFAILED', (await scram(bob[0], pop3)).settle(false));
      await fails('AUTHORIZATIONFAILED', (await scram(alice[0], imap, bob[0])).settle(true));
      assert.equal((await (await scram(alice[0], imap, alice[0])).settle(true)).address, alice[0]);
    });
  });

  describe('maySendAs', () => {
    promise(
      'is for the own address and the aliases that lead to it, and for no others',
      async (directory) => {
        const table: readonly (readonly [who: Person, as: string, may: boolean])[] = [
          [alice, 'alice@example.org', true],
          [alice, 'info@example.org', true],
          [alice, 'all@example.org', true],
          [bob, 'all@example.org', true],
          [bob, 'info@example.org', false],
          [bob, 'alice@example.org', false],
          [alice, 'away@example.org', false],
          [alice, 'nobody@example.org', false],
          [alice, 'alice@elsewhere.example', false],
        ];
        const accounts = new Map<string, Account>();
        for (const who of [alice, bob]) accounts.set(who[0], await directory.login(...who, imap));
        for (const [[who], as, may] of table) {
          const account = accounts.get(who);
          assert.ok(account);
          assert.equal(await directory.maySendAs(account, to(as)), may, `${who} as ${as}`);
        }
      },
    );
  });
}

function to(text: string): Address {
  const address = parseAddress(text);
  assert.ok(address, text);
  return address;
}

async function refusal(login: Promise<unknown>): Promise<{ code: Reason; text: string }> {
  const error = await login.then(
    () => assert.fail('was let in'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isMailError(error), String(error));
  return { code: error.code, text: error.message };
}

async function fails(code: Reason, login: Promise<unknown>): Promise<void> {
  assert.equal((await refusal(login)).code, code);
}

/** Uint8Array or Buffer is one and the same here. */
function plain<Value extends object>(value: Value): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, each]: [string, unknown]) => [
      name,
      each instanceof Uint8Array ? Buffer.from(each).toString('hex') : each,
    ]),
  );
}
