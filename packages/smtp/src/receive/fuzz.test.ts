/**
 * Mutated sessions against a server in the process. Whatever comes, it neither crashes nor hangs, says only well-formed
 * replies, stores no bare CR or LF, and delivers nothing to anybody but those whose RCPT was answered 250.
 */
import { expect, it } from 'vitest';
import { systemClock } from '@mail-server-kit/core';
import { seededRandom, turn, type SeededRandom } from '@mail-server-kit/core/testing';
import { anna, bert, lines, settled, world } from './fixtures/world.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

const base64 = (text: string) => Buffer.from(text).toString('base64');

const corpus = [
  lines(
    'EHLO c',
    'MAIL FROM:<carl@example.org>',
    'RCPT TO:<anna@example.net>',
    'DATA',
    'Subject: a',
    '',
    '..x',
    '.',
    'QUIT',
  ),
  `${lines('LHLO c', 'MAIL FROM:<> SIZE=10 BODY=8BITMIME RET=FULL ENVID=a+2B', 'RCPT TO:<anna@example.net> NOTIFY=NEVER ORCPT=rfc822;a')}BDAT 10\r\n0123456789BDAT 4 LAST\r\nx\r\n\r\n`,
  lines('HELO c', 'RSET', 'NOOP x', 'VRFY anna', 'EXPN a', 'HELP', 'QUIT'),
  lines(
    'EHLO [IPv6:2001:db8::1]',
    `AUTH PLAIN ${base64('\0anna@example.net\0secret')}`,
    'MAIL FROM:<anna@example.net>',
    'RCPT TO:<anna@example.net>',
    'DATA',
    '.',
  ),
  lines(
    'EHLO c',
    'AUTH LOGIN',
    base64(anna),
    base64('secret'),
    'AUTH SCRAM-SHA-256 biwsbj1hLHI9Yg==',
    'cmVzcG9uc2U=',
    '*',
  ),
  lines(
    'EHLO c',
    'MAIL FROM:<"a b>\\""@example.org> SMTPUTF8',
    'RCPT TO:<@a,@b:anna@example.net>',
    'RCPT TO:<Postmaster>',
    'DATA',
    'Received: a',
    '\tb',
    '.',
  ),
  lines(
    'EHLO c',
    'MAIL FROM:<käthe@bücher.example> SMTPUTF8',
    'RCPT TO:<anna@example.net>',
    'BDAT 0 LAST',
  ),
  ...['EHLO c', 'LHLO c'].map((hello) =>
    lines(
      hello,
      'MAIL FROM:<anna@example.net> SMTPUTF8 ENVID=a+2Bb RET=HDRS',
      'RCPT TO:<anna@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;j\\x{FC}rgen+40b',
      'DATA',
      'Subject: käthe',
      '',
      '.',
    ),
  ),
];
const tokens = [
  '\r',
  '\n',
  '\r\n',
  '.',
  '\r\n.\r\n',
  '\n.\n',
  '\0',
  '<',
  '>',
  '"',
  '\\',
  ' ',
  '=',
  '+',
  'BDAT 5\r\n',
  'BDAT 99999 LAST\r\n',
  'DATA\r\n',
  'RSET\r\n',
  'STARTTLS\r\n',
  'SIZE=',
  '\xff',
  '\xc3\xa4',
  'x'.repeat(3000),
  '*\r\n',
];

function mutate(random: SeededRandom): Buffer {
  let octets = Buffer.from(random.pick(corpus));
  for (let count = random.integer(6); count > 0; count--) {
    const at = random.integer(octets.length + 1);
    const end = Math.min(octets.length, at + random.integer(20));
    const [before, inside, after] = [
      octets.subarray(0, at),
      octets.subarray(at, end),
      octets.subarray(end),
    ];
    const put = random.pick([
      Buffer.from(random.pick(tokens), 'latin1'),
      Buffer.alloc(0),
      Buffer.concat([inside, inside]),
      Buffer.from(random.bytes(random.integer(5))),
      Buffer.concat([inside, Buffer.from(random.pick(corpus))]),
    ]);
    octets = Buffer.concat([before, put, after]);
  }
  return octets;
}

/** None can be added by what a client said. */
const statusFields =
  /^(?:Original-Envelope-Id: .+\r\n)?Reporting-MTA: .+\r\nArrival-Date: .+\r\n(?:\r\n(?:Original-Recipient: .+\r\n)?Final-Recipient: .+\r\nAction: delivered\r\nStatus: 2\.1\.5\r\n)+$/;
const wellFormed = /^(?:[2-5][0-9]{2}[ -][ -~]{0,508}\r\n)*$/;

it(
  `no session of a hostile client does harm (FUZZ_SEED=${seed})`,
  async () => {
    const random = seededRandom(seed);
    const end = Date.now() + seconds * 1000;
    let sessions = 0;
    let reports = 0;
    while (Date.now() < end) {
      const kind = random.pick(['mx', 'submission', 'lmtp'] as const);
      const made = await world({ kind, clock: systemClock, maxMessageOctets: 20_000 });
      // A world that takes its time now and then.
      const resolve = made.directory.resolve.bind(made.directory);
      made.directory.resolve = async (address) => {
        if (random.chance(0.3)) await turn();
        return resolve(address);
      };
      for (let i = 0; i < 20; i++) {
        const octets = mutate(random);
        const stream = made.dial({ secure: random.chance(0.7) });
        let said = '';
        stream.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
        stream.on('error', () => {});
        for (let at = 0; at < octets.length;) {
          const size = 1 + random.integer(random.chance(0.5) ? 3000 : 8);
          if (stream.writable) stream.write(octets.subarray(at, at + size));
          at += size;
        }
        await settled(() => said);
        const told = `seed ${seed}, ${kind}: ${JSON.stringify(octets.toString('latin1'))} -> ${JSON.stringify(said)}`;
        expect(wellFormed.test(said), told).toBe(true);
        expect(said.startsWith('220 '), told).toBe(true);
        stream.destroy();
        sessions++;
      }
      for (const message of [...(await made.mail(anna)), ...(await made.mail(bert))]) {
        expect(message.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
        if (!message.startsWith('Return-Path: <>\r\nFrom: Mail Delivery System ')) continue;
        reports++;
        const [, status = ''] =
          /delivery-status\r\n(?:.+\r\n)?\r\n([^]*?)\r\n--=_/.exec(message) ?? [];
        expect(status).toMatch(statusFields);
      }
      expect(await made.mail(bert)).toEqual([]);
      const faults = made.events.filter(({ level }) => level === 'error');
      expect(faults, `seed ${seed}`).toEqual([]);
      await made.server.stop();
    }
    console.log(`${sessions} sessions, ${reports} reports, FUZZ_SEED=${seed}`);
  },
  seconds * 1000 + 60_000,
);
