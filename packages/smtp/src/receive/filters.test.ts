import { describe, expect, it } from 'vitest';
import {
  accept,
  asId,
  defer,
  discard,
  proceed,
  reject,
  type AccountId,
  type Filter,
  type Verdict,
} from '@mail-server-kit/core';
import { turn } from '@mail-server-kit/core/testing';
import { anna, bert, idAt, lines, settled, world } from './fixtures/world.ts';

const bertOnly =
  (verdict: Verdict) => (at: { recipient: { forwardPath: { localPart: string } } }) =>
    at.recipient.forwardPath.localPart === 'bert' ? verdict : proceed;

async function send(filters: readonly Filter[], recipients: readonly string[] = [anna]) {
  const made = await world({ filters });
  const stream = made.dial();
  let said = '';
  stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const session = async (to: readonly string[]) => {
    said = '';
    stream.write(
      lines(
        'HELO c',
        'MAIL FROM:<carl@example.org>',
        ...to.map((one) => `RCPT TO:<${one}>`),
        'DATA',
      ),
    );
    await settled(() => said);
    if (said.includes('354 ')) stream.write(lines('Subject: a', '', 'text', '.'));
    await settled(() => said);
    return said.split('\r\n').slice(0, -1);
  };
  return { ...made, session, said: await session(recipients) };
}

describe('a verdict', () => {
  it.each([
    ['connect', ['220', '250', '250', '250', '354', '250']],
    ['helo', ['220', '250', '250', '250', '354', '250']],
    ['mail', ['220', '250', '250', '250', '354', '250']],
    ['rcpt', ['220', '250', '250', '250', '354', '250']],
    ['message', ['220', '250', '250', '250', '354', '250']],
    ['deliver', ['220', '250', '250', '250', '354', '250']],
  ] as const)('discard at %s is answered like yes, and nothing is stored', async (stage, codes) => {
    const { said, mail } = await send([{ name: 'f', [stage]: () => discard }]);
    expect(said.map((line) => line.slice(0, 3))).toEqual(codes);
    expect(await mail(anna)).toEqual([]);
  });

  it.each([
    ['connect', ['554 5.7.1 no', '503 5.5.1 No service for you, only QUIT']],
    ['helo', ['550 5.7.1 no', '503 5.5.1 EHLO first']],
    ['mail', ['550 5.7.1 no', '503 5.5.1 MAIL first']],
    ['rcpt', ['550 5.7.1 no', '503 5.5.1 RCPT first']],
    ['message', ['550 5.7.1 no']],
    ['deliver', ['550 5.7.1 no']],
  ] as const)('reject at %s is told as it is', async (stage, wanted) => {
    const { said, mail } = await send([{ name: 'f', [stage]: () => reject(550, '5.7.1', 'no') }]);
    const at = said.indexOf(wanted[0]);
    expect(said.slice(at, at + wanted.length)).toEqual(wanted);
    expect(await mail(anna)).toEqual([]);
  });

  it('defer at connect is 421 and the end', async () => {
    const { said } = await send([{ name: 'f', connect: () => defer(450, '4.7.1', 'later') }]);
    expect(said).toEqual(['421 4.7.1 later']);
  });

  it('reject with a 2xx code, a filter that throws, and header fields that are none, are our fault: 451', async () => {
    for (const filter of [
      { name: 'f', message: () => reject(250, '2.0.0', 'fine') },
      { name: 'f', message: () => ({ kind: 'tag', headers: ['X-Spam: a\n\r\n'] }) as const },
      { name: 'f', message: () => ({ kind: 'tag', headers: ['X-Spam: a\r\n\r\n'] }) as const },
      { name: 'f', message: () => ({ kind: 'tag', headers: ['no field\r\n'] }) as const },
      {
        name: 'f',
        message: () => {
          throw new Error('broken');
        },
      },
    ]) {
      const { said, mail } = await send([filter]);
      expect(said.at(-1)).toBe('451 4.3.0 Local error in processing, try again later');
      expect(await mail(anna)).toEqual([]);
    }
  });

  it('accept ends its stage, and only that', async () => {
    const { said } = await send([
      { name: 'trusted', rcpt: () => accept },
      {
        name: 'strict',
        rcpt: () => reject(550, '5.7.1', 'not asked'),
        message: () => defer(451, '4.7.1', 'asked'),
      },
    ]);
    expect(said.slice(-3)).toEqual([
      '250 2.1.5 Recipient accepted',
      '354 End data with <CR><LF>.<CR><LF>',
      '451 4.7.1 asked',
    ]);
  });

  it('tag puts headers on top, sets flags and chooses the mailbox', async () => {
    const { store, session, mail } = await send([
      { name: 'one', connect: () => ({ kind: 'tag', headers: ['X-Connect: 1\r\n'], score: 1 }) },
      {
        name: 'two',
        deliver: () => ({
          kind: 'tag',
          headers: ['X-Spam: yes\r\n'],
          flags: ['$Junk'],
          mailbox: 'Junk',
          score: 2,
        }),
      },
    ]);
    // There is no Junk yet: a filing rule must not lose mail.
    expect((await mail(anna))[0]).toMatch(
      /^Return-Path: .*\r\nX-Connect: 1\r\nX-Spam: yes\r\nReceived: /,
    );
    await store.commit([{ op: 'createMailbox', account: asId<AccountId>('anna'), name: 'Junk' }]);
    await session([anna]);
    expect(await mail(anna, 'Junk')).toHaveLength(1);
    const junk = (await store.mailboxes(asId<AccountId>('anna'))).find(
      ({ name }) => name === 'Junk',
    );
    expect((await store.open(junk!.id)).flagNames).toContain('$Junk');
  });
});

describe('filters', () => {
  it('read the message as it came, more than once and in parts, and remember in the store', async () => {
    const read: string[] = [];
    const { store } = await send([
      {
        name: 'reader',
        async message(message, { records }) {
          for (const range of [[], [9, 11]] as const) {
            const parts: Uint8Array[] = [];
            for await (const part of message.read(...range)) parts.push(part);
            read.push(Buffer.concat(parts).toString());
          }
          await records.put('seen', { size: message.size, by: message.client.network });
          return proceed;
        },
      },
    ]);
    expect(read).toEqual([lines('Subject: a', '', 'text'), 'a\r']);
    const record = await store.record('filter/reader', 'seen');
    expect(JSON.parse(Buffer.from(record!.value).toString())).toEqual({ size: 20, by: '192.0.2' });
  });

  it('read a large message too', async () => {
    const { dial } = await world({
      filters: [
        {
          name: 'reader',
          async message(message) {
            const parts: Uint8Array[] = [];
            for await (const part of message.read(999_990)) parts.push(part);
            return reject(
              550,
              '5.7.1',
              `${message.size} octets, ${Buffer.concat(parts).toString('latin1').trim()}`,
            );
          },
        },
      ],
    });
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stream.write(lines('HELO c', 'MAIL FROM:<carl@example.org>', 'RCPT TO:<anna@example.net>'));
    stream.write('BDAT 1000000 LAST\r\n');
    for (let i = 0; i < 100; i++) stream.write(`X:${'y'.repeat(96)}\r\n`.repeat(100));
    while (!said.includes('5.7.1')) await turn();
    expect(said).toContain('550 5.7.1 1000000 octets, yyyyyyyy\r\n');
  });

  it('of different minds about the recipients of one SMTP message deliver nothing, and see them one by one', async () => {
    const { said, session, mail } = await send(
      [{ name: 'bert has enough', deliver: bertOnly(reject(550, '5.7.1', 'Enough')) }],
      [anna, bert],
    );
    expect(said.at(-1)).toBe(
      '451 4.5.3 The recipients would be answered differently; nothing was delivered, send it again',
    );
    expect(await mail(anna)).toEqual([]);
    // The client comes again. Bert has to come alone, so Anna gets hers, and then Bert's sender gets a true answer.
    expect((await session([anna, bert])).slice(1)).toEqual([
      '250 2.1.0 Sender accepted',
      '250 2.1.5 Recipient accepted',
      '452 4.5.3 Too many recipients',
      '354 End data with <CR><LF>.<CR><LF>',
      `250 2.0.0 Accepted as ${idAt(1)}`,
    ]);
    expect(await mail(anna)).toHaveLength(1);
    expect((await session([bert])).at(-1)).toBe('550 5.7.1 Enough');
  });
});
