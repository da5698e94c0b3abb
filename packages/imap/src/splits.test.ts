import assert from 'node:assert/strict';
import { turn } from '@mail-server-kit/core/testing';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { plain, setting } from './fixtures/clients.ts';

/** Everything after which octets could get lost: literals, APPEND, AUTHENTICATE, IDLE and DONE. */
const said = Buffer.from(
  [
    `a AUTHENTICATE PLAIN\r\n${Buffer.from('\0alice@example.com\0secret').toString('base64')}`,
    'b SELECT {5+}\r\nINBOX',
    'c IDLE\r\nDONE',
    'd SEARCH CHARSET UTF-8 SUBJECT {5+}\r\nLunch TEXT "a\\"b" NOT {0+}\r\n',
    'e APPEND INBOX (\\Seen) {12+}\r\na: b\r\n\r\nDONE',
    'f APPEND Nowhere {4+}\r\nf OK',
    'g FETCH 1:* (UID BODY.PEEK[TEXT]<0.5>)',
    'h LIST (SUBSCRIBED) {0+}\r\n (* {1+}\r\n%)',
    'i LOGOUT',
  ].join('\r\n') + '\r\n',
);

async function answers(cuts: readonly number[]): Promise<string> {
  const { connect } = await setting({ mailboxes: { INBOX: [plain, plain] } });
  const stream = connect();
  let heard = '';
  stream.on('data', (octets: Buffer) => (heard += octets.toString('latin1')));
  const ended = new Promise((resolve) => stream.once('end', resolve));
  let from = 0;
  for (const cut of [...cuts, said.length]) {
    if (cut <= from) continue;
    stream.write(said.subarray(from, cut));
    from = cut;
    if (cuts.length < 20) await turn();
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  return heard;
}

describe('a session', () => {
  it('goes the same however it was cut into packets', async () => {
    const whole = await answers([]);
    assert.ok(whole.endsWith('i OK LOGOUT completed\r\n'), whole);
    assert.ok(whole.includes('f NO [TRYCREATE]'), whole);
    assert.ok(whole.includes('* 3 FETCH (UID 3 BODY[TEXT]<0> {4}\r\nDONE)'), whole);
    const every = Array.from({ length: said.length - 1 }, (_, i) => i + 1);
    assert.equal(await answers(every), whole);
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: said.length - 1 }), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        assert.equal(await answers(places.sort((a, b) => a - b)), whole);
      }),
      { numRuns: 60 },
    );
  });
});
