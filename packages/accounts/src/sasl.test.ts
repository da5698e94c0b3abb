import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  createSaslClient,
  createSaslExchange,
  saslMechanisms,
  type Account,
  type MechanismName,
} from '@mail-server-kit/core';
import { createMemoryStore } from '@mail-server-kit/storage';
import { describe, it } from 'vitest';
import { createAccounts } from './accounts.ts';
import { cheap } from './cheap.fixture.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const context = { protocol: 'imap', secure: true, remoteAddress: '192.0.2.1' } as const;
const address = 'jürgen@example.org';

describe('a client of core logs in', () => {
  const directory = createAccounts({ store: createMemoryStore(), hashing: cheap });
  const bindings = { 'tls-exporter': random.bytes(32) };

  async function converse(name: MechanismName, password: string): Promise<Account> {
    const bound = name.endsWith('-PLUS') ? { bindings } : {};
    const client = createSaslClient(name, { userName: address, password, random, ...bound });
    const server = createSaslExchange(name, { directory, context, random, ...bound });
    let response = await client.step(undefined);
    for (;;) {
      const step = await server.step(response);
      if (step.kind === 'done') {
        client.finish(step.data);
        return step.account;
      }
      response = await client.step(step.challenge);
    }
  }

  it('with every mechanism that is offered, whatever the password is made of', async () => {
    await directory.addDomain('example.org');
    const { id } = await directory.addAccount(address, 'first');
    const offered = saslMechanisms(directory, { bindings });
    assert.deepEqual(offered, ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
    for (const password of ['Grüße, Jürgen', 'x'.repeat(1000), '\u{1f511} key', ' a , = " ']) {
      await directory.setPassword(address, password);
      for (const name of offered) {
        assert.equal((await converse(name, password)).id, id, name);
        await assert.rejects(converse(name, 'wrong'), { code: 'AUTHENTICATIONFAILED' }, name);
      }
    }
  });
});
