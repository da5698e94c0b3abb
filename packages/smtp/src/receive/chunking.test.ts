import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { turn } from '@mail-server-kit/core/testing';
import { anna, bert, idAt, lines, world } from './fixtures/world.ts';

async function started(options: Parameters<typeof world>[0] = {}) {
  const made = await world(options);
  const talk = await made.talk();
  const hello = options.kind === 'lmtp' ? 'LHLO' : 'HELO';
  if (hello === 'HELO') {
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c`;
  } else {
    await talk`
      C: LHLO c
      S: 250-mx.example.net greets c
      S: 250-PIPELINING
      S: 250-SIZE 52428800
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-DSN
      S: 250 CHUNKING`;
  }
  await talk`
    C: MAIL FROM:<carl@example.org>
    S: 250 2.1.0 Sender accepted
    C: RCPT TO:<anna@example.net>
    S: 250 2.1.5 Recipient accepted`;
  return { ...made, talk };
}

const body = (message: string | undefined) => message?.slice(message.indexOf('+0000\r\n') + 7);

describe('BDAT', () => {
  it('takes a message in chunks, dots as they are', async () => {
    const { talk, mail } = await started();
    await talk.send('', 'BDAT 14\r\nSubject: a\r\n\r\n');
    await talk`S: 250 2.0.0 14 octets received`;
    await talk.send('', 'BDAT 9 LAST\r\n..x\r\n.\r\n\r');
    await talk`S: 550 5.6.11 Bare CR or LF in the message; lines end with CRLF (RFC 5321 section 2.3.8)`;
    await talk`
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted`;
    await talk.send('', 'BDAT 14\r\nSubject: a\r\n\r\n');
    await talk`S: 250 2.0.0 14 octets received`;
    await talk.send('', 'BDAT 8 LAST\r\n..x\r\n.\r\n');
    await talk`S: 250 2.0.0 Accepted as ${idAt(1)}`;
    expect(body((await mail(anna))[0])).toBe(lines('Subject: a', '', '..x', '.'));
  });

  it('ends with BDAT 0 LAST too, and a line that lacks its end gets one', async () => {
    const { talk, mail } = await started();
    await talk.send('', 'BDAT 15\r\nSubject: a\r\n\r\nx');
    await talk`
      S: 250 2.0.0 15 octets received
      C: BDAT 0 LAST
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect(body((await mail(anna))[0])).toBe(lines('Subject: a', '', 'x'));
  });

  it('a CRLF may be cut by chunks, a bare CR or LF may not hide between them', async () => {
    const { talk } = await started();
    await talk.send('', 'BDAT 11\r\nSubject: a\r');
    await talk`S: 250 2.0.0 11 octets received`;
    await talk.send('', 'BDAT 3\r\n\n\r\n');
    await talk`S: 250 2.0.0 3 octets received`;
    await talk.send('', 'BDAT 2\r\na\r');
    await talk`S: 250 2.0.0 2 octets received`;
    await talk.send('', 'BDAT 1\r\nb');
    await talk`S: 550 5.6.11 Bare CR or LF in the message; lines end with CRLF (RFC 5321 section 2.3.8)`;
    // All of it is gone until RSET; its octets are no commands.
    await talk.send('', 'BDAT 6\r\nNOOP\r\n');
    await talk`
      S: 503 5.5.1 A chunk was refused, RSET first
      C: BDAT 0 LAST
      S: 503 5.5.1 A chunk was refused, RSET first
      C: RSET
      S: 250 2.0.0 OK
      C: BDAT 0 LAST
      S: 503 5.5.1 MAIL first`;
  });

  it('reads the chunk also where it is refused, so that it is not taken for commands', async () => {
    const { talk: begin, mail } = await world();
    const talk = await begin();
    await talk.send('', 'BDAT 6\r\nQUIT\r\nNOOP\r\n');
    await talk`
      S: 503 5.5.1 MAIL first
      S: 250 2.0.0 OK
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted`;
    await talk.send('', 'BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n');
    await talk`
      S: 503 5.5.1 RCPT first
      S: 250 2.0.0 OK`;
    expect(await mail(anna)).toEqual([]);
  });

  it('and DATA do not mix, nor do MAIL and RCPT within it', async () => {
    const { talk } = await started();
    await talk.send('', 'BDAT 2\r\n\r\n');
    await talk`
      S: 250 2.0.0 2 octets received
      C: DATA
      S: 503 5.5.1 The message has begun with BDAT
      C: RCPT TO:<bert@example.net>
      S: 503 5.5.1 The message has begun, RSET first
      C: MAIL FROM:<carl@example.org>
      S: 503 5.5.1 A transaction is open, RSET first
      C: NOOP
      S: 250 2.0.0 OK`;
  });

  it('RSET in the middle leaves nothing behind, in the store neither', async () => {
    const { talk, mail, store } = await started();
    await talk.send('', 'BDAT 14\r\nSubject: a\r\n\r\n');
    await talk`
      S: 250 2.0.0 14 octets received
      C: RSET
      S: 250 2.0.0 OK
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted`;
    await talk.send('', 'BDAT 14 LAST\r\nSubject: b\r\n\r\n');
    await talk`S: 250 2.0.0 Accepted as ${idAt(1)}`;
    expect(body((await mail(anna))[0])).toBe(lines('Subject: b', ''));
    expect(await mail(anna)).toHaveLength(1);
    await store.close();
  });

  it.each([
    'BDAT',
    'BDAT x',
    'BDAT -1',
    'BDAT 1 2',
    'BDAT 1 LAST LAST',
    'BDAT 0x10',
    'BDAT 1e3',
    'BDAT 999999999999999999999',
  ])('%s ends the connection: nobody knows where the next command would begin', async (command) => {
    const { talk } = await started();
    await talk`
        C: ${command}
        S: 501 5.5.4 BDAT size [LAST]; closing the connection`;
    await talk.closed();
  });

  it('a chunk too large to be waited for ends the connection, one over the limit is read and refused', async () => {
    const far = await started({ maxMessageOctets: 1000 });
    await far.talk`
      C: BDAT 1000000
      S: 552 5.3.4 The message is too big, the limit is 1000 octets`;
    await far.talk.closed();
    const near = await started({ maxMessageOctets: 1000 });
    await near.talk.send('', `BDAT 1001\r\n${'x'.repeat(1001)}`);
    await near.talk`
      S: 552 5.3.4 The message is too big, the limit is 1000 octets
      C: NOOP
      S: 250 2.0.0 OK`;
  });

  it('over LMTP has one reply for a chunk, and one for each recipient at the end', async () => {
    const { talk, mail } = await started({ kind: 'lmtp' });
    await talk`
      C: RCPT TO:<bert@example.net>
      S: 250 2.1.5 Recipient accepted`;
    await talk.send('', 'BDAT 2\r\n\r\n');
    await talk`S: 250 2.0.0 2 octets received`;
    await talk.send('', 'BDAT 3 LAST\r\nx\r\n');
    await talk`
      S: 250 2.0.0 Accepted as ${idAt(0)}
      S: 250 2.0.0 Accepted as ${idAt(0)}`;
    expect([(await mail(anna)).length, (await mail(bert)).length]).toEqual([1, 1]);
  });

  it('gives the same message however it is cut into chunks and packets', async () => {
    const message = Buffer.from(lines('Subject: a', '', '.', '..', 'text', '', '.', 'QUIT'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(message.length), { maxLength: 6 }),
        fc.array(fc.nat(2000), { maxLength: 12 }),
        async (chunkCuts, packetCuts) => {
          const at = [0, ...chunkCuts.sort((a, b) => a - b), message.length];
          const chunks = at.slice(1).map((end, index) => message.subarray(at[index], end));
          const octets = Buffer.concat([
            Buffer.from(
              lines('HELO c', 'MAIL FROM:<carl@example.org>', 'RCPT TO:<anna@example.net>'),
            ),
            ...chunks.flatMap((chunk, index) => [
              Buffer.from(`BDAT ${chunk.length}${index === chunks.length - 1 ? ' LAST' : ''}\r\n`),
              chunk,
            ]),
            Buffer.from('QUIT\r\n'),
          ]);
          const { dial, mail } = await world();
          const stream = dial();
          let said = '';
          stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
          const cuts = [
            0,
            ...packetCuts.map((cut) => cut % octets.length).sort((a, b) => a - b),
            octets.length,
          ];
          cuts.slice(1).forEach((end, index) => {
            if (end > (cuts[index] as number)) stream.write(octets.subarray(cuts[index], end));
          });
          while (!said.endsWith('221 2.0.0 Bye\r\n')) await turn();
          expect((await mail(anna)).map(body)).toEqual([message.toString()]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
