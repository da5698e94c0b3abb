import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Account, Directory, LoginContext, ScramAttempt } from '../directory.ts';
import { isMailError, MailError } from '../errors.ts';
import { asId, type AccountId } from '../numbers.ts';
import { seededRandom } from '../testing/random.ts';
import type { SaslClient } from './client.ts';
import type { ChannelBindings, SaslExchange } from './exchange.ts';
import { createSaslClient, createSaslExchange } from './mechanisms.ts';
import { makeScramCredentials } from './scram.ts';

const random = seededRandom(2);
const context: LoginContext = { protocol: 'imap', secure: true };
const account: Account = {
  id: asId<AccountId>('user'),
  address: 'user@example.com',
  protocols: new Set(['imap']),
};
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const credentials = await makeScramCredentials('pencil', { salt, iterations: 4096 });
const bindings: ChannelBindings = { 'tls-exporter': Buffer.from('this connection') };

/** A directory of one user that writes down what it is told. */
function noting() {
  const told: unknown[] = [];
  const directory = {
    async scram(userName: string, _: LoginContext, authorizeAs?: string): Promise<ScramAttempt> {
      told.push(authorizeAs === undefined ? userName : [userName, authorizeAs]);
      return {
        credentials,
        async settle(proved) {
          told.push(proved);
          if (!proved) throw new MailError('AUTHENTICATIONFAILED', 'Authentication failed');
          return account;
        },
      };
    },
  } as Partial<Directory> as Directory;
  return { told, directory };
}

function serverOf(directory: Directory, more: { bindings?: ChannelBindings } = {}): SaslExchange {
  const name = more.bindings ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256';
  return createSaslExchange(name, { directory, context, random, ...more });
}

async function refused(promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => isMailError(error, 'AUTHENTICATIONFAILED'));
}

/** Client-first, and a function that makes client-final of server-first. */
async function start(client: SaslClient, exchange: SaslExchange): Promise<string> {
  const step = await exchange.step(await client.step(undefined));
  assert.ok(step.kind === 'challenge');
  return String(await client.step(step.challenge));
}

describe('the example of RFC 7677 section 3', () => {
  const nonce = { bytes: () => Buffer.from('rOprNGfwEbeRWgbNEkqO', 'base64') };
  const serverFirst =
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
  const serverFinal = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';
  const fresh = () =>
    createSaslClient('SCRAM-SHA-256', { userName: 'user', password: 'pencil', random: nonce });

  it('is what the client says', async () => {
    const client = fresh();
    assert.equal(String(await client.step(undefined)), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    assert.equal(
      String(await client.step(Buffer.from(serverFirst))),
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    );
    client.finish(Buffer.from(serverFinal));
  });

  it('the client believes no server that does not know the password', async () => {
    for (const answer of [
      undefined,
      'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=',
      'v=AAAA',
      'e=other-error',
      '',
    ]) {
      const client = fresh();
      await client.step(undefined);
      assert.throws(() => client.finish(Buffer.from(serverFinal)), { name: 'MailError' });
      await client.step(Buffer.from(serverFirst));
      assert.throws(() => client.finish(answer === undefined ? undefined : Buffer.from(answer)), {
        name: 'MailError',
      });
    }
  });

  it.each([
    ['a nonce that is not a continuation of its own', 'r=xxx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    [
      'a nonce without a part of the server',
      'r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    ],
    ['too few iterations', 'r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095'],
    ['too many iterations', 'r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001'],
    ['a salt that is no base64', 'r=rOprNGfwEbeRWgbNEkqOx,s=W22,i=4096'],
    ['a mandatory extension', 'm=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
  ])('the client refuses %s', async (_, message) => {
    const client = fresh();
    await client.step(undefined);
    await refused(client.step(Buffer.from(message)));
  });
});

describe('the server', () => {
  const client = () =>
    createSaslClient('SCRAM-SHA-256', { userName: 'user', password: 'pencil', random });

  it('tells the directory once, and proves itself with the success', async () => {
    const { told, directory } = noting();
    const exchange = serverOf(directory);
    const from = client();
    const step = await exchange.step(Buffer.from(await start(from, exchange)));
    assert.ok(step.kind === 'done');
    from.finish(step.data);
    assert.equal(step.account, account);
    assert.deepEqual(told, ['user', true]);
  });

  it.each([
    ['nothing', ''],
    ['no gs2 header', 'n=user,r=abc'],
    ['an unknown flag', 'x,,n=user,r=abc'],
    ['a flag with something after it', 'nn,,n=user,r=abc'],
    ['an empty authorization identity', 'n,a=,n=user,r=abc'],
    ['something else for it', 'n,b=user,n=user,r=abc'],
    ['no nonce', 'n,,n=user'],
    ['an empty nonce', 'n,,n=user,r='],
    ['a nonce with a control character', 'n,,n=user,r=a\tb'],
    ['a nonce too long', `n,,n=user,r=${'x'.repeat(513)}`],
    ['no name', 'n,,n=,r=abc'],
    ['a name with a bare equals sign', 'n,,n=a=b,r=abc'],
    ['a name with a small escape', 'n,,n=a=2cb,r=abc'],
    ['a mandatory extension', 'n,,m=x,n=user,r=abc'],
    ['a mandatory extension at the end', 'n,,n=user,r=abc,m=x'],
    ['an extension that is none', 'n,,n=user,r=abc,,'],
    ['the wrong order', 'n,,r=abc,n=user'],
    ['a channel binding without -PLUS', 'p=tls-exporter,,n=user,r=abc'],
  ])('refuses %s as client-first, before the directory hears of it', async (_, message) => {
    const { told, directory } = noting();
    await refused(serverOf(directory).step(Buffer.from(message)));
    assert.deepEqual(told, []);
  });

  it('undoes escapes in names, and passes on an authorization identity that is another', async () => {
    const { told, directory } = noting();
    await serverOf(directory).step(Buffer.from('n,a=o=3Dther,n=us=2Cer,r=abc'));
    await serverOf(directory).step(Buffer.from('n,a=user,n=user,r=abc,x=optional'));
    assert.deepEqual(told, [['us,er', 'o=ther'], 'user']);
  });

  const flipLast = (text: string) =>
    text.replace(/p=(.)/, (_, first: string) => `p=${first === 'A' ? 'B' : 'A'}`);
  it.each<[string, (final: string) => string]>([
    ['another proof', flipLast],
    ['a proof too short', (final) => final.replace(/p=.*/, 'p=AAAA')],
    ['no proof', (final) => final.replace(/,p=.*/, '')],
    ['an empty proof', (final) => final.replace(/p=.*/, 'p=')],
    ['a proof that is no base64', (final) => final.replace(/p=..../, 'p=!!!!')],
    ['another gs2 header', (final) => final.replace('c=biws', 'c=eSws')],
    ['another nonce', (final) => final.replace(',p=', 'x,p=')],
    ['an extension that the proof does not cover', (final) => final.replace(',p=', ',x=y,p=')],
    ['a mandatory extension', (final) => final.replace(',p=', ',m=y,p=')],
    ['something after the proof', (final) => `${final},x=y`],
    ['nothing', () => ''],
  ])('refuses %s in client-final, and the directory counts it', async (_, change) => {
    const { told, directory } = noting();
    const exchange = serverOf(directory);
    await refused(exchange.step(Buffer.from(change(await start(client(), exchange)))));
    assert.deepEqual(told, ['user', false]);
  });

  it('counts a client that gives up, also while the directory looks', async () => {
    const { told, directory } = noting();
    const exchange = serverOf(directory);
    await start(client(), exchange);
    exchange.cancel();
    exchange.cancel();
    const hurried = serverOf(directory);
    const step = hurried.step(Buffer.from('n,,n=user,r=abc'));
    hurried.cancel();
    await step;
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told.sort(), [false, false, 'user', 'user']);
  });

  it('no change of a single octet of what the client says lets it in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(200), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const { told, directory } = noting();
        const exchange = serverOf(directory);
        const final = Buffer.from(await start(client(), exchange));
        const index = at % final.length;
        final[index] = (final[index] as number) ^ mask;
        await refused(exchange.step(final));
        assert.deepEqual(told, ['user', false]);
      }),
    );
  });
});

describe('channel binding', () => {
  const plus = (more: ChannelBindings) =>
    createSaslClient('SCRAM-SHA-256-PLUS', {
      userName: 'user',
      password: 'pencil',
      random,
      bindings: more,
    });

  it('ties the exchange to the connection: somebody between has another one', async () => {
    const { told, directory } = noting();
    const exchange = serverOf(directory, { bindings });
    await refused(
      exchange.step(
        Buffer.from(await start(plus({ 'tls-exporter': Buffer.from('other') }), exchange)),
      ),
    );
    assert.deepEqual(told, ['user', false]);
  });

  it('by the end point of the server, too', async () => {
    const { directory } = noting();
    const both = { ...bindings, 'tls-server-end-point': Buffer.from('certificate') };
    const exchange = serverOf(directory, { bindings: both });
    const from = plus({ 'tls-server-end-point': Buffer.from('certificate') });
    assert.equal((await exchange.step(Buffer.from(await start(from, exchange)))).kind, 'done');
  });

  it.each([
    'n,,n=user,r=abc',
    'y,,n=user,r=abc',
    'p=tls-unique,,n=user,r=abc',
    'p=toString,,n=user,r=abc',
    'p=,,n=user,r=abc',
  ])('-PLUS refuses %s', async (message) => {
    await refused(serverOf(noting().directory, { bindings }).step(Buffer.from(message)));
  });

  it('a client that believes -PLUS was not offered, when it was, is told of no success', async () => {
    const { told, directory } = noting();
    const options = { directory, context, random };
    const offered = createSaslExchange('SCRAM-SHA-256', { ...options, bindings });
    const believer = createSaslClient('SCRAM-SHA-256', {
      userName: 'user',
      password: 'pencil',
      random,
      bindings,
    });
    const first = await believer.step(undefined);
    assert.ok(String(first).startsWith('y,,'));
    await refused(offered.step(first));
    assert.deepEqual(told, []);
    // Where it was not, `y` is as good as `n`.
    assert.equal(
      (await createSaslExchange('SCRAM-SHA-256', options).step(first)).kind,
      'challenge',
    );
    assert.equal(
      (
        await createSaslExchange('SCRAM-SHA-256', { ...options, bindings }).step(
          Buffer.from('n,,n=user,r=abc'),
        )
      ).kind,
      'challenge',
    );
  });

  it('a client without bindings cannot begin -PLUS', () => {
    assert.throws(() => plus({}), { name: 'TypeError' });
  });
});

it('credentials are never made with fewer iterations than RFC 7677 allows', async () => {
  await assert.rejects(makeScramCredentials('pencil', { salt, iterations: 4095 }), {
    name: 'TypeError',
  });
});
