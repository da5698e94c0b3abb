import assert from 'node:assert/strict';
import { fakeClock } from '@mail-server-kit/core/testing';
import { createMemoryStore } from '@mail-server-kit/storage';
import { beforeEach, describe, it } from 'vitest';
import {
  systemClock,
  type LoginContext,
  type MailStore,
  type Protocol,
} from '@mail-server-kit/core';
import { randomBytes } from 'node:crypto';
import { createAccounts, type Accounts } from './accounts.ts';
import { cheap } from './cheap.fixture.ts';
import { createLogins, type Logins } from './login.ts';
import { createPasswords, type HashingOptions } from './password.ts';
import { createRecentLogins } from './recent-logins.ts';
import { decode, type LoginRecord } from './records.ts';
import { createThrottle } from './throttle.ts';

const random = { bytes: randomBytes };
const from = (remoteAddress: string, protocol: Protocol = 'imap'): LoginContext => ({
  ...{ protocol, remoteAddress, secure: true },
});
const here = from('192.0.2.1');

describe('login', () => {
  let store: MailStore;
  let directory: Accounts;
  let clock: ReturnType<typeof fakeClock>;
  /** Stored hashes that a password was checked against, in order. */
  let checks: string[];
  let logins: Logins;

  function createCounting(hashing: HashingOptions = cheap): Logins {
    const passwords = createPasswords(hashing, random);
    return createLogins({
      ...{ store, random },
      passwords: {
        ...passwords,
        check(stored, password) {
          checks.push(stored);
          return passwords.check(stored, password);
        },
      },
      throttle: createThrottle(clock),
      recent: createRecentLogins(clock, random),
    });
  }

  beforeEach(async () => {
    store = createMemoryStore();
    clock = fakeClock();
    checks = [];
    directory = createAccounts({ store, hashing: cheap });
    await directory.addDomain('example.org');
    await directory.addAccount('alice@example.org', 'correct horse');
    logins = createCounting();
  });

  const stored = async () => {
    const { id } = (await directory.account('alice@example.org'))!;
    return decode<LoginRecord>((await store.record('login', id))!.value);
  };

  it('costs one hash with the same parameters, be the user known or not', async () => {
    const users = ['alice@example.org', 'nobody@example.org', 'x@elsewhere.example', 'no address'];
    for (const user of users) {
      checks = [];
      await assert.rejects(logins.login(user, 'wrong', here), { code: 'AUTHENTICATIONFAILED' });
      assert.equal(checks.length, 1, user);
      const [parameters] = /^\$argon2id\$v=19\$m=64,t=1,p=1\$/.exec(checks[0]!) ?? [];
      assert.ok(parameters, checks[0]);
      assert.equal(checks[0]!.length, (await stored()).hash.length);
    }
  });

  it('asks the store as often for an unknown user as for a known one', async () => {
    let reads = 0;
    const record = store.record.bind(store);
    store.record = (space, key) => {
      reads++;
      return record(space, key);
    };
    const readsOf = async (login: () => Promise<unknown>) => {
      reads = 0;
      await login().catch(() => {});
      return reads;
    };
    await logins.scram('first@example.org', here);
    const known = await readsOf(() => logins.login('alice@example.org', 'wrong', here));
    assert.equal(await readsOf(() => logins.login('nobody@example.org', 'wrong', here)), known);
    assert.equal(await readsOf(() => logins.login('no address', 'wrong', here)), known);
    const scram = (userName: string) => async () =>
      (await logins.scram(userName, here)).settle(false);
    assert.equal(
      await readsOf(scram('nobody@example.org')),
      await readsOf(scram('alice@example.org')),
    );
  });

  it('compares passwords after SASLprep, user names too', async () => {
    await directory.setPassword('alice@example.org', 'Ⅸ a\u00a0b');
    for (const password of ['IX a b', 'Ⅸ a b', 'I\u00adX a\u00a0b']) {
      await logins.login('al\u00adice@example.org', password, here);
    }
    await directory.setPassword('alice@example.org', '\u{1f511} key');
    await logins.login('alice@example.org', '\u{1f511} key', here);
  });

  it('of a client that opens ten connections costs one hash, for a minute', async () => {
    const one = createCounting({ ...cheap, concurrency: 1 });
    const ten = () =>
      Promise.all(
        Array.from({ length: 10 }, () => one.login('alice@example.org', 'correct horse', here)),
      );
    await ten();
    await ten();
    assert.equal(checks.length, 1);
    clock.set(clock.now() + 60_000);
    await ten();
    assert.equal(checks.length, 2);
  });

  it('remembers an outcome for one protocol and one user', async () => {
    await logins.login('alice@example.org', 'correct horse', here);
    await logins.login('alice@example.org', 'correct horse', from('192.0.2.1', 'web'));
    assert.equal(checks.length, 2);
    await directory.addAccount('bob@example.org', 'other');
    await assert.rejects(logins.login('bob@example.org', 'correct horse', here), {
      code: 'AUTHENTICATIONFAILED',
    });
    assert.equal(checks.length, 3);
  });

  it('sees a changed password at once, the old one refused and the new one let in', async () => {
    await logins.login('alice@example.org', 'correct horse', here);
    await assert.rejects(logins.login('alice@example.org', 'battery staple', here));
    await directory.setPassword('alice@example.org', 'battery staple');
    await logins.login('alice@example.org', 'battery staple', here);
    await assert.rejects(logins.login('alice@example.org', 'correct horse', here), {
      code: 'AUTHENTICATIONFAILED',
    });
    await directory.removeAccount('alice@example.org');
    await assert.rejects(logins.login('alice@example.org', 'battery staple', here), {
      code: 'AUTHENTICATIONFAILED',
    });
  });

  it('a device that repeats one outdated password is no guesser', async () => {
    for (let i = 0; i < 100; i++) {
      await assert.rejects(logins.login('alice@example.org', 'last year', here), {
        code: 'AUTHENTICATIONFAILED',
      });
      clock.set(clock.now() + 100);
    }
    assert.equal(checks.length, 1);
    await logins.login('alice@example.org', 'correct horse', here);
  });

  it('slows a guesser down, the right password included, and nobody elsewhere', async () => {
    const attacker = from('198.51.100.9');
    let guesses = 0;
    const guess = () => logins.login('alice@example.org', `guess ${guesses++}`, attacker);
    for (let i = 0; i < 6; i++) await assert.rejects(guess(), { code: 'AUTHENTICATIONFAILED' });
    checks = [];
    await assert.rejects(guess(), { code: 'THROTTLED' });
    const right = logins.login('alice@example.org', 'correct horse', from('198.51.100.200'));
    await assert.rejects(right, { code: 'THROTTLED' });
    assert.equal(checks.length, 0);
    await logins.login('alice@example.org', 'correct horse', here);
  });

  it('throttles an unknown user name like a known one', async () => {
    const codes = async (userName: string, remoteAddress: string) => {
      const found: string[] = [];
      for (let i = 0; i < 9; i++) {
        await logins
          .login(userName, `guess ${i}`, from(remoteAddress))
          .catch((error: Error & { code: string }) => found.push(`${error.code} ${error.message}`));
      }
      return found;
    };
    assert.deepEqual(
      await codes('nobody@example.org', '198.51.100.1'),
      await codes('alice@example.org', '203.0.113.1'),
    );
  });

  it('a burst of guesses sent at once gets no further than the same guesses one by one', async () => {
    const one = createCounting({ ...cheap, concurrency: 1 });
    const burst = Array.from({ length: 200 }, (_, i) =>
      one.login('alice@example.org', i === 199 ? 'correct horse' : `guess ${i}`, here),
    );
    const outcomes = await Promise.allSettled(burst);
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
    assert.equal(checks.length, 6);
  });

  it('a network that keeps guessing does not hold up an account that logs in from there every day', async () => {
    await logins.login('alice@example.org', 'correct horse', here);
    for (let i = 0; i < 50; i++) {
      await assert.rejects(logins.login(`user${i}@example.org`, 'wrong', here));
    }
    clock.set(clock.now() + 61_000);
    await logins.login('alice@example.org', 'correct horse', here);
  });

  it('refuses a password beyond 1,024 octets without hashing it', async () => {
    await assert.rejects(logins.login('alice@example.org', 'x'.repeat(1025), here), {
      code: 'AUTHENTICATIONFAILED',
    });
    assert.equal(checks.length, 0);
  });

  it('hashes anew when the parameters have changed, without a word', async () => {
    const old = await stored();
    const stronger = createCounting({ ...cheap, passes: 2, scramIterations: 5000 });
    await assert.rejects(stronger.login('alice@example.org', 'wrong', here));
    await stronger.settled();
    assert.equal((await stored()).hash, old.hash);
    await stronger.login('alice@example.org', 'correct horse', here);
    await stronger.settled();
    const upgraded = await stored();
    assert.match(upgraded.hash, /^\$argon2id\$v=19\$m=64,t=2,p=1\$/);
    assert.equal(upgraded.scram?.iterations, 5000);
    assert.equal(upgraded.changed, old.changed);
    await stronger.login('alice@example.org', 'correct horse', here);
    await stronger.settled();
    assert.deepEqual(await stored(), upgraded);
  });

  it('says UNAVAILABLE, not refused, when the stored hash is damaged', async () => {
    const { id } = (await directory.account('alice@example.org'))!;
    const value = Buffer.from(JSON.stringify({ hash: 'damaged', changed: 0 }));
    await store.commit([{ op: 'putRecord', space: 'login', key: id, value }]);
    await assert.rejects(logins.login('alice@example.org', 'correct horse', here), {
      code: 'UNAVAILABLE',
    });
  });

  describe('by SCRAM', () => {
    it('has made-up credentials that survive a restart', async () => {
      const first = await logins.scram('nobody@example.org', here);
      const second = await createCounting().scram('NOBODY@Example.org', here);
      assert.deepEqual(second.credentials, first.credentials);
    });

    it('slows a guesser down, also one who began many exchanges before the first one failed', async () => {
      const begun = await Promise.all(
        Array.from({ length: 50 }, () => logins.scram('alice@example.org', here)),
      );
      const codes = new Map<string, number>();
      for (const attempt of begun) {
        await attempt.settle(false).catch(({ code }: { code: string }) => {
          codes.set(code, (codes.get(code) ?? 0) + 1);
        });
      }
      assert.deepEqual(Object.fromEntries(codes), { AUTHENTICATIONFAILED: 6, THROTTLED: 44 });
      await assert.rejects(logins.scram('alice@example.org', here), { code: 'THROTTLED' });
      await logins.scram('alice@example.org', from('203.0.113.1'));
    });

    it('does not let in whose password was changed meanwhile', async () => {
      const attempt = await logins.scram('alice@example.org', here);
      await directory.setPassword('alice@example.org', 'battery staple');
      await assert.rejects(attempt.settle(true), { code: 'AUTHENTICATIONFAILED' });
    });

    it('is not offered, and nothing kept for it, where it is switched off', async () => {
      const without = createAccounts({ store, hashing: { ...cheap, scramIterations: false } });
      assert.equal(without.scram, undefined);
      await without.setPassword('alice@example.org', 'battery staple');
      assert.equal((await stored()).scram, undefined);
      assert.throws(() => createAccounts({ store, hashing: { scramIterations: 1000 } }), TypeError);
    });
  });

  it('of many at once never runs more hashes than it may, and lets all in', async () => {
    const names = Array.from({ length: 30 }, (_, n) => `user${n}@example.org`);
    await Promise.all(names.map((name) => directory.addAccount(name, `password of ${name}`)));
    const passwords = createPasswords({ ...cheap, concurrency: 2 }, random);
    let running = 0;
    let most = 0;
    const counted = createLogins({
      ...{ store, random, throttle: createThrottle(systemClock) },
      recent: createRecentLogins(systemClock, random),
      passwords: {
        ...passwords,
        async check(hash, password) {
          most = Math.max(most, ++running);
          return passwords.check(hash, password).finally(() => running--);
        },
      },
    });
    const accounts = await Promise.all(
      names.map((name) => counted.login(name, `password of ${name}`, here)),
    );
    assert.equal(new Set(accounts.map(({ id }) => id)).size, 30);
    assert.equal(most, 2);
  });

  it('after close says UNAVAILABLE', async () => {
    await directory.close();
    await assert.rejects(directory.login('alice@example.org', 'correct horse', here), {
      code: 'UNAVAILABLE',
    });
  });
});
