/** A store that fails before it reads any of a message: the client gets an answer all the same, and it is 4xx. */
import { MailError, type MailStore } from '@mail-server-kit/core';
import { createMemoryStore } from '@mail-server-kit/storage';
import { describe, expect, it } from 'vitest';
import { anna, lines, settled, world } from './fixtures/world.ts';

/** Its first `stage` throws `error`, or rejects with it. */
function refusing(error: Error, how: 'throws' | 'rejects'): MailStore {
  const store = createMemoryStore();
  const stage = store.stage.bind(store);
  let isFirst = true;
  return Object.assign(store, {
    stage(...given: Parameters<MailStore['stage']>) {
      if (!isFirst) return stage(...given);
      isFirst = false;
      if (how === 'throws') throw error;
      return Promise.reject(error);
    },
  });
}

const envelope = lines('MAIL FROM:<carl@example.org>', 'RCPT TO:<anna@example.net>');
const small = lines('Subject: one', '', 'x');
const large = small + `${'x'.repeat(76)}\r\n`.repeat(15_000);

async function replies(
  store: MailStore,
  sent: string,
): Promise<{ codes: string[]; mail: string[] }> {
  const { dial, mail } = await world({ store });
  const stream = dial();
  let said = '';
  stream.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
  const all = lines('HELO client.example.org') + sent + lines('QUIT');
  // In packets: what comes in one piece needs no room.
  for (let at = 0; at < all.length; at += 65_536) stream.write(all.slice(at, at + 65_536));
  await settled(() => said);
  stream.destroy();
  const codes = said.split('\r\n').map((line) => line.slice(0, 3));
  return { codes: codes.slice(2, -1), mail: await mail(anna) };
}

describe.each([
  ['is full', () => refusing(new MailError('LIMIT', 'Too much is being received'), 'rejects')],
  ['is closed', () => refusing(new MailError('UNAVAILABLE', 'The store is closed'), 'throws')],
  ['is broken', () => refusing(new Error('a fault nobody foresaw'), 'rejects')],
])('a store that %s before it reads', (_, store) => {
  it.each([
    ['small', small],
    ['large', large],
  ])('lets a %s message be read to its end and refused, and takes the next', async (_size, one) => {
    const { codes, mail } = await replies(
      store(),
      [one, small].map((text) => `${envelope}DATA\r\n${text}.\r\n`).join(''),
    );
    expect(codes.join(' ')).toBe('250 250 354 451 250 250 354 250 221');
    expect(mail).toHaveLength(1);
  });

  it.each([
    ['small', small],
    ['large', large],
  ])('refuses a %s chunk of BDAT, and all that follow until RSET', async (_size, one) => {
    const { codes, mail } = await replies(
      store(),
      `${envelope}BDAT ${one.length}\r\n${one}BDAT 3 LAST\r\nx\r\nRSET\r\n` +
        `${envelope}BDAT ${small.length} LAST\r\n${small}`,
    );
    expect(codes.join(' ')).toBe('250 250 451 503 250 250 250 250 221');
    expect(mail).toHaveLength(1);
  });
});
