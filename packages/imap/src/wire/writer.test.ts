import assert from 'node:assert/strict';
import { duplexPair, fakeClock, turn } from '@mail-server-kit/core/testing';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

function pair() {
  const clock = fakeClock();
  const [client, server] = duplexPair();
  const out = new Writer(server, clock, 1000);
  const said = async (): Promise<string> => {
    await out.flush();
    await turn();
    return String(client.read() ?? '');
  };
  return { clock, client, out, said };
}

describe('Writer', () => {
  it('writes numbers as their digits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: Number.MAX_SAFE_INTEGER }), async (value) => {
        const { out, said } = pair();
        out.number(value);
        assert.equal(await said(), String(value));
      }),
      { numRuns: 200, examples: [[0], [9], [10], [4_294_967_295], [4_294_967_296]] },
    );
  });

  it('writes strings that a reader reads back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.boolean(), async (value, utf8) => {
        fc.pre(!value.includes('\0'));
        const { out, said } = pair();
        out.string(value, utf8);
        const text = await said();
        assert.equal(new Reader(Buffer.from(text)).string(), value);
        if (!utf8 && text.startsWith('"')) assert.match(text, /^[\x20-\x7e]*$/);
      }),
      { numRuns: 200 },
    );
  });

  it('takes back what was not sent, and says so if it was', async () => {
    const { out, said } = pair();
    out.text('kept ');
    const mark = out.mark();
    out.text('x'.repeat(5000)).octets(Buffer.alloc(40_000));
    assert.ok(out.rewind(mark));
    out.text('on');
    const late = out.mark();
    assert.equal(await said(), 'kept on');
    assert.ok(!out.rewind(late));
  });

  it('waits for a slow reader, and not for ever', async () => {
    const { clock, out } = pair();
    out.octets(Buffer.alloc(100_000));
    const flushed = assert.rejects(out.flush(), { name: 'Fatal' });
    await clock.advance(1000);
    await flushed;
  });

  it('sends many small pieces as one', async () => {
    const { client, out } = pair();
    let packets = 0;
    client.on('data', () => packets++);
    for (let i = 0; i < 1000; i++) out.text('* ').number(i).text(' EXPUNGE\r\n');
    await out.flush();
    await turn();
    assert.equal(packets, 1);
  });
});
