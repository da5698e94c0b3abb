import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { it } from 'vitest';
import { turn } from './clock.ts';
import { duplexPair } from './duplex-pair.ts';

it('what one end writes the other reads, both ways, and ending is heard', async () => {
  const [a, b] = duplexPair();
  a.write('ping');
  const [heard] = (await once(b, 'data')) as [Buffer];
  assert.equal(String(heard), 'ping');
  b.end('pong');
  assert.equal(await text(a), 'pong');
  // As with sockets, the end that heard of it ends too.
  await once(a, 'close');
  await once(b, 'close');
});

it('a writer waits while the other end does not read', async () => {
  const [a, b] = duplexPair({ highWaterMark: 4 });
  let written = 0;
  for (let i = 0; i < 5; i++) a.write('1234', () => written++);
  await turn();
  assert.equal(written, 0);
  assert.equal(a.writableNeedDrain, true);
  b.resume();
  await once(a, 'drain');
  assert.equal(written, 5);
});

it('the buffer may be used again once the write is done', async () => {
  const [a, b] = duplexPair();
  const buffer = Buffer.from('first');
  await new Promise<void>((resolve) => void a.write(buffer, () => resolve()));
  buffer.fill('x');
  a.end();
  assert.equal(await text(b), 'first');
});

it('destroying an end is an end for the reader and EPIPE for the writer', async () => {
  const [a, b] = duplexPair();
  a.destroy();
  b.resume();
  await once(b, 'end');
  const [c, d] = duplexPair({ highWaterMark: 1 });
  c.write('waits for a reader that never comes');
  await turn();
  d.destroy();
  const [error] = (await once(c, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'EPIPE');
});
