import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { describe, it } from 'vitest';
import { isMailError } from '../errors.ts';
import { fakeDialer, fakeResolver } from './network.ts';

describe('a fake resolver', () => {
  const resolver = fakeResolver({
    'Example.com': {
      mx: [[10, 'mx.example.com']],
      txt: ['v=spf1 -all'],
      dnssec: 'secure',
      ttl: 1000,
    },
    'mx.example.com': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
    '192.0.2.1': { ptr: ['mx.example.com'] },
    'broken.example': { fails: true },
  });

  it('answers from its zone', async () => {
    assert.deepEqual(await resolver.mx('EXAMPLE.com.'), {
      data: [{ preference: 10, exchange: 'mx.example.com' }],
      dnssec: 'secure',
      ttl: 1000,
    });
    assert.deepEqual((await resolver.address('mx.example.com', 4)).data, ['192.0.2.1']);
    assert.deepEqual((await resolver.address('mx.example.com', 6)).data, ['2001:db8::1']);
    assert.deepEqual((await resolver.ptr('192.0.2.1')).data, ['mx.example.com']);
    assert.deepEqual((await resolver.txt('example.com')).data, ['v=spf1 -all']);
  });

  it('no data is an empty answer, a failure is UNAVAILABLE', async () => {
    assert.deepEqual(await resolver.mx('nowhere.example'), {
      data: [],
      dnssec: 'insecure',
      ttl: 300_000,
    });
    await assert.rejects(resolver.mx('broken.example'), (error) =>
      isMailError(error, 'UNAVAILABLE'),
    );
  });
});

describe('a fake dialer', () => {
  it('connects to its handlers and refuses the rest', async () => {
    const dialer = fakeDialer({
      'mx.example.com:25': (connection, { host }) => void connection.end(`220 ${host}`),
      'bad.example:25': () => {
        throw new Error('unreachable');
      },
    });
    const connection = await dialer.dial({ host: 'mx.example.com', port: 25 });
    assert.equal(await text(connection), '220 mx.example.com');
    await assert.rejects(dialer.dial({ host: 'mx.example.com', port: 465 }), {
      code: 'ECONNREFUSED',
    });
    await assert.rejects(dialer.dial({ host: 'bad.example', port: 25 }), /unreachable/);
    await assert.rejects(dialer.dial({ host: 'mx.example.com', port: 25 }, AbortSignal.abort()), {
      name: 'AbortError',
    });
    assert.equal(dialer.dialed.length, 3);
  });
});
