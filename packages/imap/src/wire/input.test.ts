import assert from 'node:assert/strict';
import { duplexPair, fakeClock, turn } from '@mail-server-kit/core/testing';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Input } from './input.ts';

const patience = { limit: 100, patience: 1000 };

function pair() {
  const clock = fakeClock();
  const [client, server] = duplexPair();
  return { clock, client, input: new Input(server, clock) };
}

describe('Input', () => {
  it('gives the same lines and literals however they were split into packets', async () => {
    const said = Buffer.from('first\r\n{5}\r\nab\r\nc rest\nlast\r\n');
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat({ max: said.length })), async (cuts) => {
        const { client, input } = pair();
        const places = [0, ...cuts.sort((a, b) => a - b), said.length];
        const sent = (async () => {
          for (let i = 1; i < places.length; i++) {
            const part = said.subarray(places[i - 1], places[i]);
            if (part.length > 0) client.write(part);
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        const got = [
          await input.line(patience),
          await input.line(patience),
          await input.octets(5, 1000),
          await input.line(patience),
          await input.line(patience),
        ];
        await sent;
        assert.deepEqual(got.map(String), ['first', '{5}', 'ab\r\nc', ' rest', 'last']);
      }),
      { numRuns: 50 },
    );
  });

  it('takes a line up to the limit and no longer, whether its end has come or not', async () => {
    const { client, input } = pair();
    client.write(`${'a'.repeat(100)}\r\n${'b'.repeat(102)}`);
    assert.equal((await input.line(patience)).length, 100);
    await assert.rejects(input.line(patience), { name: 'Fatal', message: 'Line too long' });
  });

  it('loses patience after the time that it was told', async () => {
    const { clock, input } = pair();
    const line = assert.rejects(input.line(patience), { name: 'Fatal' });
    await clock.advance(999);
    await clock.advance(1);
    await line;
    assert.equal(clock.pending, 0);
  });

  it('misses nothing that comes while the answers before it go out', async () => {
    const [client, server] = duplexPair();
    const input = new Input(server, fakeClock(), async () => {
      client.write('next\r\n');
      for (let i = 0; i < 5; i++) await turn();
    });
    assert.equal(String(await input.line(patience)), 'next');
  });

  it('drops what has come, on request', async () => {
    const { client, input } = pair();
    client.write('one\r\ntwo\r\n');
    await turn();
    assert.equal(String(await input.line(patience)), 'one');
    client.write('three\r\n');
    await turn();
    assert.equal(input.drop(), 'two\r\nthree\r\n'.length);
    client.write('four\r\n');
    assert.equal(String(await input.line(patience)), 'four');
  });

  it('is closed when the client goes', async () => {
    const { client, input } = pair();
    client.end('half');
    await assert.rejects(input.line(patience), { name: 'Closed' });
  });

  it('reads no further than somebody asks', async () => {
    const { client, input } = pair();
    let taken = 0;
    const chunk = Buffer.alloc(10_000, 'x');
    const send = (): void => {
      client.write(chunk, () => {
        taken += chunk.length;
        if (taken < 10_000_000) send();
      });
    };
    client.write('go\r\n');
    send();
    await input.line(patience);
    for (let i = 0; i < 50; i++) await turn();
    assert.ok(taken < 200_000, `${taken} octets were taken`);
  });
});
