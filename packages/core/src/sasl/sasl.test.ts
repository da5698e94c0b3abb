import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import type { LoginContext } from '../directory.ts';
import { isMailError } from '../errors.ts';
import { fakeDirectory } from '../testing/directory.ts';
import { seededRandom } from '../testing/random.ts';
import type { SaslClient } from './client.ts';
import type { ChannelBindings, MechanismName, SaslExchange, SaslStep } from './exchange.ts';
import {
  createSaslClient,
  createSaslExchange,
  isMechanismName,
  saslMechanisms,
} from './mechanisms.ts';

const userName = 'jörg@example.com';
const password = 'pässword, with = and ,';
const context: LoginContext = { protocol: 'imap', secure: true };
const bindings: ChannelBindings = {
  'tls-exporter': Buffer.from('exporter'),
  'tls-server-end-point': Buffer.from('end point'),
};
const directory = fakeDirectory({
  accounts: [
    { address: userName, password, protocols: ['imap'] },
    { address: 'alice@example.com', password: 'secret' },
  ],
});
const random = seededRandom(1);

function server(
  name: MechanismName,
  more: { bindings?: ChannelBindings; context?: LoginContext } = {},
): SaslExchange {
  return createSaslExchange(name, { directory, context, random, ...more });
}

/** Lets both sides talk as IMAP with SASL-IR would. */
async function converse(from: SaslClient, to: SaslExchange): Promise<SaslStep & { kind: 'done' }> {
  let response = await from.step(undefined);
  for (;;) {
    const step = await to.step(response);
    if (step.kind === 'done') {
      from.finish(step.data);
      return step;
    }
    response = await from.step(step.challenge);
  }
}

async function refusal(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => isMailError(error) && error.code === code);
}

const all: MechanismName[] = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'];

describe.each(all)('%s', (name) => {
  const options = { userName, password, random, ...(name.endsWith('PLUS') && { bindings }) };
  const fresh = () => server(name, name.endsWith('PLUS') ? { bindings } : {});

  it('gives the account for the right password', async () => {
    const done = await converse(createSaslClient(name, options), fresh());
    assert.equal(done.account, directory.account(userName));
  });

  it('refuses a wrong password and an unknown user with the same words', async () => {
    const texts = new Set<string>();
    for (const wrong of [
      { password: 'wrong' },
      { userName: 'nobody@example.com' },
      { userName: 'no address' },
    ]) {
      await converse(createSaslClient(name, { ...options, ...wrong }), fresh()).then(
        () => assert.fail('let in'),
        (error: Error) => texts.add(`${error.name} ${error.message}`),
      );
    }
    assert.deepEqual([...texts], ['MailError Authentication failed']);
  });

  it('refuses who may not use the protocol', async () => {
    const pop3 = createSaslExchange(name, {
      directory,
      random,
      context: { protocol: 'pop3', secure: true },
      ...(name.endsWith('PLUS') && { bindings }),
    });
    await refusal(converse(createSaslClient(name, options), pop3), 'AUTHORIZATIONFAILED');
  });

  it('is over after success, failure and cancel', async () => {
    const done = fresh();
    await converse(createSaslClient(name, options), done);
    const failed = fresh();
    await refusal(failed.step(Buffer.from([0xff])), 'AUTHENTICATIONFAILED');
    const cancelled = fresh();
    cancelled.cancel();
    for (const exchange of [done, failed, cancelled]) {
      await assert.rejects(exchange.step(Buffer.from('x')), { name: 'TypeError' });
      exchange.cancel();
    }
  });

  it('asks for the initial response if there was none', async () => {
    const exchange = fresh();
    const client = createSaslClient(name, options);
    const step = await exchange.step(undefined);
    assert.equal(step.kind, 'challenge');
    const first =
      name === 'LOGIN'
        ? await client.step((step as { challenge: Uint8Array }).challenge)
        : await client.step(undefined);
    assert.equal((await exchange.step(first)).kind, name === 'PLAIN' ? 'done' : 'challenge');
  });

  it('takes no more than a few kilobytes', async () => {
    await refusal(fresh().step(Buffer.alloc(10_000, 'x')), 'AUTHENTICATIONFAILED');
  });
});

describe('PLAIN', () => {
  it.each([
    ['no fields', ''],
    ['one field', userName],
    ['two fields', `\0${userName}`],
    ['four fields', `\0${userName}\0${password}\0`],
    ['no user name', `\0\0${password}`],
    ['no password', `\0${userName}\0`],
    ['a field too long', `\0${userName}\0${'x'.repeat(1025)}`],
  ])('refuses %s', async (_, message) => {
    await refusal(server('PLAIN').step(Buffer.from(message)), 'AUTHENTICATIONFAILED');
  });

  it('takes an authorization identity, if it is the same', async () => {
    const step = await server('PLAIN').step(Buffer.from(`${userName}\0${userName}\0${password}`));
    assert.equal(step.kind, 'done');
    const other = server('PLAIN').step(Buffer.from(`alice@example.com\0${userName}\0${password}`));
    await refusal(other, 'AUTHORIZATIONFAILED');
  });
});

describe('LOGIN', () => {
  it('asks with the words that clients look for, and takes the user name as initial response', async () => {
    const exchange = server('LOGIN');
    assert.deepEqual(await exchange.step(undefined), {
      kind: 'challenge',
      challenge: Buffer.from('Username:'),
    });
    assert.deepEqual(await exchange.step(Buffer.from(userName)), {
      kind: 'challenge',
      challenge: Buffer.from('Password:'),
    });
    const short = server('LOGIN');
    assert.deepEqual(await short.step(Buffer.from(userName)), {
      kind: 'challenge',
      challenge: Buffer.from('Password:'),
    });
    assert.equal((await short.step(Buffer.from(password))).kind, 'done');
  });
});

describe('what may be offered', () => {
  it.each([
    ['everything over TLS', { bindings }, directory, all],
    ['no -PLUS without bindings', { bindings: {} }, directory, all.slice(1)],
    ['no password where others listen', { secure: false }, directory, ['SCRAM-SHA-256']],
    ['no SCRAM that the directory has not', { bindings }, {}, ['PLAIN', 'LOGIN']],
    ['nothing at all', { secure: false }, {}, []],
  ] as const)('%s', (_, options, of, expected) => {
    assert.deepEqual(saslMechanisms(of, options), expected);
  });

  it('names are told from other words', () => {
    assert.equal(isMechanismName('PLAIN'), true);
    for (const other of ['plain', 'toString', '__proto__', 'CRAM-MD5'])
      assert.equal(isMechanismName(other), false);
  });
});
