import assert from 'node:assert/strict';
import { parseForwardPath, printAddress } from '@mail-server-kit/core';
import { createMemoryStore } from '@mail-server-kit/storage';
import { beforeEach, describe, it } from 'vitest';
import { createAccounts, type Accounts, type AccountsOptions } from './accounts.ts';
import { cheap } from './cheap.fixture.ts';

describe('mail', () => {
  let directory: Accounts;

  async function settle(options: Partial<AccountsOptions> = {}) {
    directory = createAccounts({ store: createMemoryStore(), hashing: cheap, ...options });
    await directory.addDomain('example.org');
    await directory.addAccount('alice@example.org', 'password');
    await directory.addAccount('bob@example.org', 'password');
  }
  beforeEach(() => settle());

  /** `alice@example.org`, `-> carol@elsewhere.example`, or the kind of resolution. */
  async function ends(address: string): Promise<string[]> {
    const path = parseForwardPath(`<${address}>`);
    assert.ok(path);
    const resolution = await directory.resolve(path);
    if (resolution.kind !== 'routes') return [resolution.kind];
    const names = new Map((await directory.accounts()).map((each) => [each.id, each.address]));
    return resolution.routes
      .map((route) =>
        route.to === 'account'
          ? (names.get(route.account) ?? 'nobody')
          : `-> ${printAddress(route.address)}`,
      )
      .sort();
  }

  it('reaches an account in any letter case', async () => {
    assert.deepEqual(await ends('Alice@EXAMPLE.org'), ['alice@example.org']);
  });

  it('with a detail reaches the user (RFC 5233), unless the whole is an address of its own', async () => {
    await directory.addAlias('alice+shop@example.org', 'bob@example.org');
    assert.deepEqual(await ends('alice+list@example.org'), ['alice@example.org']);
    assert.deepEqual(await ends('alice+a+b@example.org'), ['alice@example.org']);
    assert.deepEqual(await ends('alice+shop@example.org'), ['bob@example.org']);
    assert.deepEqual(await ends('nobody+list@example.org'), ['unknown']);
    assert.deepEqual(await ends('+list@example.org'), ['unknown']);
  });

  it('takes another separator, or none', async () => {
    await settle({ separator: '-' });
    assert.deepEqual(await ends('alice-list@example.org'), ['alice@example.org']);
    assert.deepEqual(await ends('alice+list@example.org'), ['unknown']);
    await settle({ separator: '' });
    assert.deepEqual(await ends('alice+list@example.org'), ['unknown']);
  });

  it('for postmaster and abuse reaches the first account (RFC 5321 section 4.5.1, RFC 2142)', async () => {
    for (const role of ['postmaster', 'PostMaster', 'abuse', 'postmaster+x']) {
      assert.deepEqual(await ends(`${role}@example.org`), ['alice@example.org']);
    }
    await directory.setPostmaster('example.org', 'bob@example.org');
    assert.deepEqual(await ends('abuse@example.org'), ['bob@example.org']);
    await directory.addAlias('abuse@example.org', 'alice@example.org');
    assert.deepEqual(await ends('abuse@example.org'), ['alice@example.org']);
    assert.deepEqual(await ends('hostmaster@example.org'), ['unknown']);
  });

  it('for a postmaster who has left reaches the next account', async () => {
    await directory.removeAccount('alice@example.org');
    assert.deepEqual(await ends('postmaster@example.org'), ['bob@example.org']);
    await directory.removeAccount('bob@example.org');
    assert.deepEqual(await ends('postmaster@example.org'), ['unknown']);
    await directory.addAccount('carol@example.org', 'password');
    assert.deepEqual(await ends('postmaster@example.org'), ['carol@example.org']);
  });

  it('for <Postmaster> without a domain reaches who looks after the host', async () => {
    assert.deepEqual(await ends('Postmaster'), ['alice@example.org']);
    await settle({ postmaster: 'bob@example.org' });
    await directory.addDomain('empty.example');
    assert.deepEqual(await ends('Postmaster'), ['bob@example.org']);
    assert.deepEqual(await ends('postmaster@empty.example'), ['bob@example.org']);
    await settle({ postmaster: 'root@elsewhere.example' });
    assert.deepEqual(await ends('Postmaster'), ['-> root@elsewhere.example']);
  });

  it('goes over aliases of aliases and out of the house, to each end once', async () => {
    await directory.addAlias('team@example.org', ['alice@example.org', 'bob@example.org']);
    await directory.addAlias('all@example.org', [
      ...['team@example.org', 'Alice+team@example.org', 'carol@elsewhere.example'],
      ...['carol@elsewhere.example'],
    ]);
    assert.deepEqual(await ends('all+x@example.org'), [
      ...['-> carol@elsewhere.example', 'alice@example.org', 'bob@example.org'],
    ]);
  });

  it('that is for nobody goes to the catch-all, if there is one', async () => {
    await directory.addCatchAll('example.org', ['bob@example.org', 'box@elsewhere.example']);
    assert.deepEqual(await ends('anybody@example.org'), [
      ...['-> box@elsewhere.example', 'bob@example.org'],
    ]);
    assert.deepEqual(await ends('alice@example.org'), ['alice@example.org']);
    assert.deepEqual(await ends('postmaster@example.org'), ['alice@example.org']);
    await directory.removeCatchAll('example.org');
    assert.deepEqual(await ends('anybody@example.org'), ['unknown']);
    await assert.rejects(directory.removeCatchAll('example.org'), { code: 'NONEXISTENT' });
  });

  it('does not go round when a loop comes about by removing what was in between', async () => {
    await directory.addAlias('round@example.org', 'bob@example.org');
    await directory.addCatchAll('example.org', 'round@example.org');
    await directory.removeAccount('bob@example.org');
    assert.deepEqual(await ends('round@example.org'), ['unknown']);
  });

  it('to an alias whose targets have gone is for nobody', async () => {
    await directory.addAlias('info@example.org', 'bob@example.org');
    await directory.removeAccount('bob@example.org');
    assert.deepEqual(await ends('info@example.org'), ['unknown']);
    await directory.addAccount('bob@example.org', 'password');
    assert.deepEqual(await ends('info@example.org'), ['bob@example.org']);
  });

  it('to a domain in U-labels is the same as in A-labels', async () => {
    await directory.addDomain('Bücher.example');
    await directory.addAccount('jürgen@bücher.example', 'password');
    assert.deepEqual(await ends('JÜRGEN@xn--bcher-kva.example'), ['jürgen@xn--bcher-kva.example']);
  });

  it('may be sent as oneself, with a detail, and as the aliases that lead here, not as what a catch-all catches', async () => {
    await directory.addAlias('info@example.org', 'bob@example.org');
    await directory.addCatchAll('example.org', 'bob@example.org');
    const bob = await directory.account('bob@example.org');
    assert.ok(bob);
    const may = (local: string) =>
      directory.maySendAs(bob, { localPart: local, domain: 'example.org' });
    for (const own of ['bob', 'BOB', 'bob+shop', 'info', 'info+x']) {
      assert.equal(await may(own), true, own);
    }
    for (const other of ['alice', 'anybody', 'postmaster']) {
      assert.equal(await may(other), false, other);
    }
  });
});
