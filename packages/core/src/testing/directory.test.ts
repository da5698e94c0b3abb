import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { parseAddress } from '../address.ts';
import type { LoginContext } from '../directory.ts';
import { isMailError } from '../errors.ts';
import { fakeDirectory } from './directory.ts';

const directory = fakeDirectory({
  accounts: [
    { address: 'Alice@example.com', password: 'secret' },
    { address: 'bob@example.com', password: 'geheim', protocols: ['imap'] },
  ],
  aliases: {
    'info@example.com': ['alice@EXAMPLE.com', 'someone@elsewhere.example'],
    'sales@shop.example': 'bob@example.com',
  },
  domains: ['empty.example'],
});
const address = (text: string) => parseAddress(text)!;
const imap: LoginContext = { protocol: 'imap', secure: true };

describe('a fake directory', () => {
  it('knows where mail goes', async () => {
    const { id } = directory.account('alice@example.com');
    assert.equal(id, 'alice-example-com');
    assert.deepEqual(await directory.resolve(address('ALICE@example.com')), {
      kind: 'routes',
      routes: [{ to: 'account', account: id }],
    });
    assert.deepEqual(await directory.resolve(address('info@example.com')), {
      kind: 'routes',
      routes: [
        { to: 'account', account: id },
        { to: 'address', address: address('someone@elsewhere.example') },
      ],
    });
    for (const nobody of ['nobody@example.com', 'x@shop.example', 'x@empty.example']) {
      assert.deepEqual(await directory.resolve(address(nobody)), { kind: 'unknown' });
    }
    assert.deepEqual(await directory.resolve(address('a@elsewhere.example')), { kind: 'foreign' });
  });

  it('knows who may send as whom', async () => {
    const bob = directory.account('bob@example.com');
    assert.equal(await directory.maySendAs(bob, address('bob@example.com')), true);
    assert.equal(await directory.maySendAs(bob, address('sales@shop.example')), true);
    assert.equal(await directory.maySendAs(bob, address('alice@example.com')), false);
    assert.equal(await directory.maySendAs(bob, address('nobody@example.com')), false);
  });

  it('lets in who has the password and may use the protocol', async () => {
    assert.equal(
      (await directory.login('alice@example.com', 'secret', imap)).address,
      'Alice@example.com',
    );
    for (const [user, password] of [
      ['alice@example.com', 'Secret'],
      ['nobody@example.com', ''],
      ['', ''],
    ] as const) {
      await assert.rejects(directory.login(user, password, imap), (error) =>
        isMailError(error, 'AUTHENTICATIONFAILED'),
      );
    }
    await assert.rejects(
      directory.login('bob@example.com', 'geheim', { protocol: 'pop3', secure: true }),
      (error) => isMailError(error, 'AUTHORIZATIONFAILED'),
    );
  });

  it('makes up credentials for who is not there, always the same', async () => {
    const of = async (name: string) => (await directory.scram(name, imap)).credentials;
    assert.deepEqual(await of('nobody@example.com'), await of('NOBODY@example.com'));
    const [made, real] = [await of('nobody@example.com'), await of('alice@example.com')];
    assert.equal(made.iterations, real.iterations);
    assert.equal(made.salt.length, real.salt.length);
    const attempt = await directory.scram('nobody@example.com', imap);
    await assert.rejects(attempt.settle(true), (error) =>
      isMailError(error, 'AUTHENTICATIONFAILED'),
    );
  });
});
