import assert from 'node:assert/strict';
import { fakeClock, seededRandom } from '@mail-server-kit/core/testing';
import { createMemoryStore } from '@mail-server-kit/storage';
import { beforeEach, describe, it } from 'vitest';
import { MailError, type LoginContext, type MailStore } from '@mail-server-kit/core';
import { createAccounts, type Accounts } from './accounts.ts';
import { cheap } from './cheap.fixture.ts';
import { domainKey, keyOf } from './records.ts';

const imap: LoginContext = { protocol: 'imap', secure: true };

describe('management', () => {
  let store: MailStore;
  let directory: Accounts;
  beforeEach(async () => {
    store = createMemoryStore();
    directory = createAccounts({ store, hashing: cheap });
    await directory.addDomain('example.org');
  });

  it('makes an account with INBOX and special-use mailboxes, all subscribed', async () => {
    const account = await directory.addAccount('Alice@Example.org', 'password');
    assert.equal(account.address, 'Alice@example.org');
    assert.deepEqual([...account.protocols], ['imap', 'submission', 'jmap', 'sieve', 'web']);
    const mailboxes = (await store.mailboxes(account.id)).map(({ name, specialUse, subscribed }) =>
      [name, specialUse, subscribed].join(' '),
    );
    assert.deepEqual(mailboxes, [
      'Archive \\Archive true',
      'Drafts \\Drafts true',
      'INBOX  true',
      'Junk \\Junk true',
      'Sent \\Sent true',
      'Trash \\Trash true',
    ]);
    assert.deepEqual(await directory.account('alice@EXAMPLE.org'), account);
    assert.equal(await directory.account('bob@example.org'), undefined);
  });

  it('takes limits, protocols and mailboxes of one account', async () => {
    const { id, protocols } = await directory.addAccount('alice@example.org', 'password', {
      protocols: ['pop3'],
      limits: { octets: 1000 },
      newMailboxes: [{ name: 'Later' }],
    });
    assert.deepEqual([...protocols], ['pop3']);
    assert.deepEqual((await store.usage(id)).limits, { octets: 1000 });
    assert.equal((await store.usage(id)).used.octets, 0);
    assert.deepEqual(
      (await store.mailboxes(id)).map(({ name }) => name),
      ['INBOX', 'Later'],
    );
  });

  it('gives an address once, though two ask at the same time, in two processes or in one', async () => {
    const other = createAccounts({ store, hashing: cheap });
    const outcomes = await Promise.allSettled(
      [directory, directory, other, other].map((each) =>
        each.addAccount('alice@example.org', 'password'),
      ),
    );
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    assert.equal(won.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'ALREADYEXISTS');
    }
    assert.equal((await directory.accounts()).length, 1);
  });

  it('two processes that make different accounts do not get in each other’s way', async () => {
    const other = createAccounts({ store, hashing: cheap });
    await Promise.all(
      [directory, other].flatMap((each, process) =>
        [1, 2, 3, 4].map((n) => each.addAccount(`user${process}${n}@example.org`, 'password')),
      ),
    );
    assert.equal((await directory.accounts('example.org')).length, 8);
  });

  it('refuses what is there, what is not, and what is no address', async () => {
    await directory.addAccount('alice@example.org', 'password');
    await directory.addAlias('info@example.org', 'alice@example.org');
    const cases: readonly (readonly [Promise<unknown>, string])[] = [
      [directory.addDomain('EXAMPLE.ORG'), 'ALREADYEXISTS'],
      [directory.addAccount('alice@example.org', 'password'), 'ALREADYEXISTS'],
      [directory.addAccount('info@example.org', 'password'), 'ALREADYEXISTS'],
      [directory.addAlias('alice@example.org', 'x@elsewhere.example'), 'ALREADYEXISTS'],
      [directory.addAlias('info@example.org', 'x@elsewhere.example'), 'ALREADYEXISTS'],
      [directory.addAccount('bob@elsewhere.example', 'password'), 'NONEXISTENT'],
      [directory.addAlias('bob@elsewhere.example', 'alice@example.org'), 'NONEXISTENT'],
      [directory.addAlias('sales@example.org', 'nobody@example.org'), 'NONEXISTENT'],
      [directory.addCatchAll('example.org', 'nobody@example.org'), 'NONEXISTENT'],
      [directory.addCatchAll('elsewhere.example', 'alice@example.org'), 'NONEXISTENT'],
      [directory.removeAccount('bob@example.org'), 'NONEXISTENT'],
      [directory.removeAccount('info@example.org'), 'NONEXISTENT'],
      [directory.removeAlias('alice@example.org'), 'NONEXISTENT'],
      [directory.removeDomain('elsewhere.example'), 'NONEXISTENT'],
      [directory.setPassword('bob@example.org', 'password'), 'NONEXISTENT'],
      [directory.setProtocols('bob@example.org', []), 'NONEXISTENT'],
      [directory.setPostmaster('example.org', 'bob@example.org'), 'NONEXISTENT'],
      [directory.removeDomain('example.org'), 'CANNOT'],
      [directory.addAccount('bob@example.org', ''), 'CANNOT'],
      [directory.setPassword('alice@example.org', 'a\0b'), 'CANNOT'],
      [
        directory.addAlias(
          'many@example.org',
          Array.from({ length: 101 }, (_, n) => `${n}@elsewhere.example`),
        ),
        'LIMIT',
      ],
    ];
    for (const [index, [attempt, code]] of cases.entries()) {
      await assert.rejects(attempt, { name: 'MailError', code }, `case ${index}`);
    }
    await assert.rejects(directory.addAccount('alice', 'password'), TypeError);
    await assert.rejects(directory.addDomain('[192.0.2.1]'), TypeError);
    await assert.rejects(directory.addAlias('empty@example.org', []), TypeError);
  });

  it('refuses aliases that lead back to themselves, over others and with details too', async () => {
    await directory.addAccount('alice@example.org', 'password');
    await directory.addAlias('b@example.org', 'alice@example.org');
    await directory.addAlias('a@example.org', 'b@example.org');
    await directory.removeAlias('b@example.org');
    for (const targets of [
      'b@example.org',
      'a@example.org',
      'b+x@example.org',
      'a+x@example.org',
    ]) {
      const loop = directory.addAlias('b@example.org', ['alice@example.org', targets]);
      await assert.rejects(loop, { code: 'CANNOT' }, targets);
    }
  });

  it('refuses aliases that amplify one message a thousandfold', async () => {
    const hundred = (of: string) =>
      Array.from({ length: 100 }, (_, n) => `${of}${n}@elsewhere.example`);
    for (let n = 0; n < 9; n++) await directory.addAlias(`l${n}@example.org`, hundred(`l${n}-`));
    const lists = (count: number) => Array.from({ length: count }, (_, n) => `l${n}@example.org`);
    await directory.addAlias('nine@example.org', lists(9));
    await directory.addAlias('l9@example.org', hundred('l9-'));
    await assert.rejects(
      directory.addAlias('x@example.org', ['nine@example.org', 'l9@example.org']),
      {
        code: 'LIMIT',
      },
    );
  });

  it('removes an account with its mail, its password and its address, and gives a new one a new id', async () => {
    const { id } = await directory.addAccount('alice@example.org', 'password');
    await directory.removeAccount('alice@example.org');
    await assert.rejects(store.mailboxes(id), { code: 'NONEXISTENT' });
    for (const [space, key] of [
      ['login', id],
      ['account', id],
      ['address', keyOf({ localPart: 'alice', domain: 'example.org' })],
    ] as const) {
      assert.equal(await store.record(space, key), undefined, space);
    }
    await assert.rejects(directory.login('alice@example.org', 'password', imap), {
      code: 'AUTHENTICATIONFAILED',
    });
    const again = await directory.addAccount('alice@example.org', 'password');
    assert.notEqual(again.id, id);
    await directory.removeAccount('alice@example.org');
    await directory.removeDomain('example.org');
    assert.deepEqual(await directory.domains(), []);
  });

  it('removes what is left of an account that was destroyed in the store', async () => {
    const { id } = await directory.addAccount('alice@example.org', 'password');
    await store.commit([{ op: 'destroyAccount', account: id }]);
    await directory.removeAccount('alice@example.org');
    assert.deepEqual(await directory.accounts(), []);
  });

  it('lists by domain', async () => {
    await directory.addDomain('example.com');
    await directory.addDomain('sub.example.org');
    for (const address of [
      'z@example.org',
      'b@example.com',
      'a@example.org',
      'a@sub.example.org',
    ]) {
      await directory.addAccount(address, 'password');
    }
    await directory.addAlias('info@example.org', 'a@example.org');
    const list = async (domain?: string) =>
      (await directory.accounts(domain)).map(({ address }) => address);
    assert.deepEqual(await list('example.org'), ['a@example.org', 'z@example.org']);
    assert.equal((await list()).length, 4);
    assert.deepEqual(await directory.aliases('Example.ORG'), [
      { address: 'info@example.org', targets: ['a@example.org'] },
    ]);
    assert.deepEqual(await directory.aliases('example.com'), []);
    const [first] = await directory.domains();
    assert.deepEqual(first, { domain: 'example.com', postmaster: 'b@example.com' });
  });

  it('switches protocols', async () => {
    await directory.addAccount('alice@example.org', 'password');
    const pop3: LoginContext = { protocol: 'pop3', secure: true };
    const login = () => directory.login('alice@example.org', 'password', pop3);
    await assert.rejects(login(), { code: 'AUTHORIZATIONFAILED' });
    await directory.setProtocols('alice@example.org', ['imap', 'pop3']);
    assert.deepEqual([...(await login()).protocols], ['imap', 'pop3']);
  });

  it('keeps the longest addresses within the keys of the store', async () => {
    const domain = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(49)}.example`;
    const localPart = 'ⱥ'.repeat(20);
    await directory.addDomain(domain);
    await directory.addAccount(`${localPart}@${domain}`, 'password');
    assert.equal((await directory.accounts(domain)).length, 1);
    const longest = keyOf({ localPart: 'Ⱥ'.repeat(32), domain: 'x'.repeat(255) });
    assert.ok(Buffer.byteLength(longest) <= 200);
    assert.notEqual(domainKey(`${domain}x`), domainKey(domain));
  });

  it('asks again with the same id when the store does not know whether it wrote', async () => {
    let lost = true;
    const forgetful: MailStore = Object.assign(Object.create(store) as MailStore, {
      commit: async (...args: Parameters<MailStore['commit']>) => {
        const commit = await store.commit(...args);
        if (!lost) return commit;
        lost = false;
        throw new MailError('UNKNOWN', 'The connection broke');
      },
      record: store.record.bind(store),
      records: store.records.bind(store),
    });
    const there = createAccounts({ store: forgetful, hashing: cheap });
    await there.addDomain('lost.example');
    assert.deepEqual(
      (await directory.domains()).map(({ domain }) => domain),
      ['example.org', 'lost.example'],
    );
  });

  it('takes ids from the random it is handed', async () => {
    const make = async () => {
      const own = createAccounts({
        ...{ store: createMemoryStore(), hashing: cheap },
        ...{ clock: fakeClock(), random: seededRandom(7) },
      });
      await own.addDomain('example.org');
      return (await own.addAccount('alice@example.org', 'password')).id;
    };
    assert.equal(await make(), await make());
    assert.match(await make(), /^[A-Za-z0-9_-]{22}$/);
  });
});
