/** What the field was broken by, as exact octets: smuggling, lines without end, floods, states that do not fit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplexPair, turn } from '@mail-server-kit/core/testing';
import { anna, bert, idAt, lines, settled, world } from './fixtures/world.ts';

const envelope = lines(
  'EHLO client.example.org',
  'MAIL FROM:<carl@example.org>',
  'RCPT TO:<anna@example.net>',
  'DATA',
);

/** Sends octets, cut as wanted, and returns all that the server says until nothing more comes. */
async function replies(
  chunks: readonly (Buffer | string)[],
  options: Parameters<typeof world>[0] = {},
): Promise<{ said: string; mail: string[]; forBert: string[] }> {
  const { dial, mail } = await world(options);
  const stream = dial();
  let said = '';
  stream.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
  stream.on('error', () => {});
  for (const chunk of chunks) {
    if (!stream.destroyed && stream.writable && chunk.length > 0) stream.write(chunk);
  }
  await settled(() => said);
  stream.destroy();
  return { said, mail: await mail(anna), forBert: await mail(bert) };
}

const codes = (said: string) =>
  said
    .split('\r\n')
    .filter((line) => /^[0-9]{3} /.test(line))
    .map((line) => line.slice(0, 3));

describe('a smuggled end of data', () => {
  /** After each of them a server that reads it as the end would see a second message, to bert. */
  const ends = [
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r\n.\r',
    '\r.\r',
    '\r.\r\n',
    '\n.\r',
    '\r\r.\r\r',
    '\r\n.\r\r\n',
    '\r\n\0.\r\n',
    '\r\n.\0\r\n',
    '\n\n.\n\n',
    '\n..\n',
    '\r\n.\r.\r\n',
  ];
  const second = lines(
    'MAIL FROM:<boss@example.net>',
    'RCPT TO:<bert@example.net>',
    'DATA',
    'Subject: smuggled',
    '',
    'x',
    '.',
  );

  it.each(ends)('%j is refused by the MX, and nothing is stored', async (end) => {
    const { said, mail, forBert } = await replies([
      `${envelope}Subject: a\r\n\r\nhi${end}${second}QUIT\r\n`,
    ]);
    expect(said).toMatch(/354 [^\r\n]*\r\n550 5\.6\.(11|1) [^\r\n]*\r\n221 2\.0\.0 Bye\r\n$/);
    expect(mail).toEqual([]);
    expect(forBert).toEqual([]);
  });

  it.each(ends.filter((end) => !end.includes('\0')))(
    '%j is a line of one message for a service that normalizes',
    async (end) => {
      const { said, mail, forBert } = await replies(
        [`${envelope}Subject: a\r\n\r\nhi${end}${second}QUIT\r\n`],
        { bareLineEnds: 'normalize' },
      );
      expect(codes(said).slice(-2)).toEqual(['250', '221']);
      expect(mail).toHaveLength(1);
      expect(mail[0]).toContain('MAIL FROM:<boss@example.net>\r\n');
      // What is stored has no bare CR or LF, so nobody after us can be fooled either.
      expect(mail[0]?.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
      expect(forBert).toEqual([]);
    },
  );

  it('is the same however the packets are cut', async () => {
    const whole = Buffer.from(
      `${envelope}Subject: a\r\n\r\nhi\r\n.\r\r\n..\r\n.\n${second}NOOP\r\nQUIT\r\n`,
    );
    const wanted = await replies([whole]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(whole.length), { maxLength: 12 }), async (at) => {
        const cuts = [0, ...at.sort((a, b) => a - b), whole.length];
        const chunks = cuts.slice(1).map((cut, index) => whole.subarray(cuts[index], cut));
        expect(await replies(chunks)).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });
});

describe('octets that are no text', () => {
  it('a bare LF in the header is refused', async () => {
    const { said } = await replies([`${envelope}Subject: a\nBcc: x\r\n\r\nhi\r\n.\r\n`]);
    expect(said).toContain(
      '550 5.6.11 Bare CR or LF in the message; lines end with CRLF (RFC 5321 section 2.3.8)\r\n',
    );
  });

  it('NUL in a message is refused, by a service that normalizes too', async () => {
    for (const bareLineEnds of ['refuse', 'normalize'] as const) {
      const { said } = await replies([`${envelope}Subject: a\r\n\r\nh\0i\r\n.\r\n`], {
        bareLineEnds,
      });
      expect(said).toContain(
        '550 5.6.1 NUL in the message; only text is accepted (RFC 2045 section 2.8)\r\n',
      );
    }
  });

  it.each([
    'NO\0OP',
    'NOOP \x07',
    'EHLO a\rb',
    'NOOP \x1b[31m',
    '\x80\x81\xff',
    'MAIL FROM:<a@b>\tSIZE=1',
  ])('%j is no command', async (command) => {
    const { said } = await replies([Buffer.from(`${command}\r\n`, 'latin1')]);
    expect(said).toBe(
      '220 mx.example.net ESMTP\r\n500 5.5.2 A command is printable text in UTF-8\r\n',
    );
  });

  it('a command that ends with LF is refused, and run by a service that normalizes', async () => {
    expect((await replies(['NOOP\n'])).said).toContain(
      '500 5.5.2 Lines end with CRLF (RFC 5321 section 2.3.8)\r\n',
    );
    expect((await replies(['NOOP\n'], { bareLineEnds: 'normalize' })).said).toContain(
      '250 2.0.0 OK\r\n',
    );
  });

  it('an unfinished command is not run when the client closes', async () => {
    const { dial, clock } = await world();
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stream.end('NOOP');
    await clock.advance(1);
    expect(said).toBe('220 mx.example.net ESMTP\r\n');
  });
});

describe('lines without end', () => {
  it('a command of 2,048 octets is one, of 2,049 none', async () => {
    expect((await replies([`NOOP ${'x'.repeat(2043)}\r\n`])).said).toContain(
      '\r\n250 2.0.0 OK\r\n',
    );
    expect((await replies([`NOOP ${'x'.repeat(2044)}\r\nNOOP\r\n`])).said).toContain(
      '\r\n500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n',
    );
  });

  it('a megabyte is thrown away as it comes, octet by octet too, and the next command is read', async () => {
    const long = Buffer.alloc(1_000_000, 'x');
    expect((await replies([long, '\r\nNOOP\r\n'])).said).toContain(
      '\r\n500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n',
    );
    const { dial } = await world();
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    for (let i = 0; i < 13_000; i++) stream.write('y');
    stream.write('\r\nNOOP\r\n');
    while (!said.endsWith('250 2.0.0 OK\r\n')) await turn();
    expect(said).toContain('\r\n500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n');
  });

  it('after login an AUTH line may have 12,288 octets and no more', async () => {
    const { talk: begin } = await world();
    const talk = await begin({ secure: true });
    await talk`
      C: EHLO c
      S: 250-mx.example.net greets c
      S: 250-PIPELINING
      S: 250-SIZE 52428800
      S: 250-AUTH SCRAM-SHA-256 PLAIN LOGIN
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-DSN
      S: 250 CHUNKING
      C: AUTH PLAIN ${Buffer.alloc(9000, 'x').toString('base64')}
      S: 535 5.7.8 Authentication credentials invalid
      C: AUTH PLAIN ${Buffer.alloc(9300, 'x').toString('base64')}
      S: 500 5.5.2 Line too long
      C: AUTH PLAIN
      S: 334 ${''}
      C: ${Buffer.alloc(9300, 'x').toString('base64')}
      S: 500 5.5.6 Authentication exchange line is too long
      C: AUTH PLAIN ${Buffer.from('\0anna@example.net\0secret').toString('base64')}
      S: 235 2.7.0 Authentication successful
      C: NOOP ${'x'.repeat(3000)}
      S: 500 5.5.2 Line too long
      C: NOOP
      S: 250 2.0.0 OK`;
  });
});

describe('floods', () => {
  it('too many recipients are 452, however many come', async () => {
    const { dial } = await world({ maxRecipients: 100 });
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stream.write(lines('EHLO c', 'MAIL FROM:<carl@example.org>'));
    stream.write('RCPT TO:<anna@example.net>\r\n'.repeat(10_000));
    stream.write('NOOP\r\n');
    while (!said.endsWith('250 2.0.0 OK\r\n')) await turn();
    expect(said.split('250 2.1.5 ')).toHaveLength(101);
    expect(said.split('452 4.5.3 Too many recipients\r\n')).toHaveLength(9901);
  });

  it('unknown recipients count as errors, and too many errors end the connection', async () => {
    const { talk: begin } = await world({ limits: { badCommands: 3 } });
    const talk = await begin();
    await talk`
      C: HELO c
      S: 250 mx.example.net greets c
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: RCPT TO:<a@example.net>
      S: 550 5.1.1 No such recipient here
      C: RCPT TO:<b@example.net>
      S: 550 5.1.1 No such recipient here
      C: RCPT TO:<c@example.net>
      S: 550 5.1.1 No such recipient here
      S: 421 4.7.0 Too many errors`;
    await talk.closed();
  });

  it('a message over the limit is read to its end and refused, the next one is taken', async () => {
    const { said, mail } = await replies(
      [
        `${envelope}Subject: a\r\n\r\n${'x'.repeat(998)}\r\n${'y'.repeat(998)}\r\n.\r\n`,
        lines(
          'MAIL FROM:<carl@example.org>',
          'RCPT TO:<anna@example.net>',
          'DATA',
          'Subject: small',
          '',
          '.',
          'QUIT',
        ),
      ],
      { maxMessageOctets: 1500 },
    );
    expect(said).toContain(
      '\r\n552 5.3.4 The message is too big, the limit is 1500 octets\r\n250 2.1.0 ',
    );
    expect(mail).toHaveLength(1);
  });

  it('a message without end is not read for ever', async () => {
    const { said } = await replies(
      [envelope, ...Array<Buffer>(20).fill(Buffer.alloc(10_000, 'x'))],
      {
        maxMessageOctets: 1000,
      },
    );
    expect(said).toMatch(/354 .*\r\n421 4\.3\.4 The message is far too big\r\n$/);
  });

  it('messages that come at the same time are limited by address, in octets', async () => {
    const { dial, mail } = await world({ maxMessageOctets: 1000 });
    const begin = async (remoteAddress: string) => {
      const stream = dial({ remoteAddress });
      let said = '';
      stream.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
      stream.write(envelope);
      await settled(() => said);
      stream.write(`${'x'.repeat(898)}\r\n`);
      await settled(() => said);
      return {
        stream,
        end: async () => {
          const before = said.length;
          stream.write('.\r\n');
          await settled(() => said);
          return said.slice(before, before + 9);
        },
      };
    };
    const first = await begin('192.0.2.1');
    const second = await begin('192.0.2.1');
    expect(await (await begin('192.0.2.1')).end()).toBe('451 4.3.2');
    expect(await (await begin('192.0.2.2')).end()).toBe('250 2.0.0');
    // What was broken off, or is stored, counts no more.
    first.stream.destroy();
    await turn();
    expect(await (await begin('192.0.2.1')).end()).toBe('250 2.0.0');
    expect(await second.end()).toBe('250 2.0.0');
    expect(await mail(anna)).toHaveLength(3);
  });

  it('connections are limited by address', async () => {
    const { dial } = await world({ limits: { connectionsPerAddress: 2 } });
    const said: string[] = ['', '', '', ''];
    const streams = [dial(), dial(), dial(), dial({ remoteAddress: '192.0.2.2' })];
    streams.forEach((stream, index) =>
      stream.on('data', (chunk: Buffer) => (said[index] += chunk.toString())),
    );
    await turn();
    await turn();
    expect(said).toEqual([
      '220 mx.example.net ESMTP\r\n',
      '220 mx.example.net ESMTP\r\n',
      '421 4.7.0 Too many connections\r\n',
      '220 mx.example.net ESMTP\r\n',
    ]);
  });

  it('a browser is shown the door before its body is read as commands', async () => {
    const { said } = await replies([
      lines('POST / HTTP/1.1', 'Host: mx', '', 'EHLO c', 'MAIL FROM:<a@example.org>'),
    ]);
    expect(said).toBe('220 mx.example.net ESMTP\r\n421 4.7.0 This is no web server\r\n');
  });
});

describe('slow clients', () => {
  it('a command that trickles in is no progress', async () => {
    const { dial, clock } = await world();
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    for (let minute = 0; minute < 5; minute++) {
      stream.write('N');
      await clock.advance(60_000);
    }
    expect(said).toBe('220 mx.example.net ESMTP\r\n421 4.4.2 Timeout\r\n');
  });

  it('a message may take its time, but not for ever', async () => {
    const { dial, clock, mail } = await world({ limits: { messageTime: 1_800_000 } });
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stream.write(`${envelope}Subject: a\r\n\r\n`);
    await clock.advance(1);
    for (let minute = 0; minute < 29; minute++) {
      stream.write('x');
      await clock.advance(60_000);
    }
    expect(said).not.toContain('421');
    for (let minute = 0; minute < 3; minute++) {
      stream.write('x');
      await clock.advance(60_000);
    }
    expect(said).toContain('421 4.4.2 Timeout\r\n');
    expect(await mail(anna)).toEqual([]);
  });

  it('silence ends the connection after five minutes', async () => {
    const { dial, clock } = await world();
    const stream = dial();
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await clock.advance(299_000);
    expect(said).toBe('220 mx.example.net ESMTP\r\n');
    await clock.advance(60_000);
    expect(said).toBe('220 mx.example.net ESMTP\r\n421 4.4.2 Timeout\r\n');
  });
});

it('a connection that the client ended is gone after five seconds, even if it never says that it closed', async () => {
  const { server, clock } = await world();
  const [ours, theirs] = duplexPair();
  // As a TLS socket does that is reset while a reply waits to be written.
  theirs._final = () => {};
  server.connect(theirs, { remoteAddress: '192.0.2.1' });
  ours.resume().end('NOOP\r\n');
  await clock.advance(4900);
  expect(theirs.destroyed).toBe(false);
  await clock.advance(100);
  expect(theirs.destroyed).toBe(true);
  await server.drain();
});

describe('a client that reads nothing', () => {
  it('is not read from either, so that replies do not pile up', async () => {
    const { dial } = await world();
    const stream = dial();
    const flood = Buffer.from('NOOP\r\n'.repeat(10_000));
    let taken = 0;
    const pour = () => {
      while (taken < 100 && stream.write(flood)) taken++;
      taken++;
    };
    stream.on('drain', pour);
    pour();
    for (let i = 0; i < 500; i++) await turn();
    // 6 MB of commands would be 14 MB of replies.
    expect(taken).toBeLessThan(10);
    stream.destroy();
  });
});

describe('states', () => {
  it('commands out of order are 503 and change nothing', async () => {
    const { talk: begin, mail } = await world();
    const talk = await begin();
    await talk`
      C: MAIL FROM:<carl@example.org>
      S: 503 5.5.1 EHLO first
      C: RCPT TO:<anna@example.net>
      S: 503 5.5.1 MAIL first
      C: DATA
      S: 503 5.5.1 MAIL first
      C: HELO c
      S: 250 mx.example.net greets c
      C: RCPT TO:<anna@example.net>
      S: 503 5.5.1 MAIL first
      C: MAIL FROM:<carl@example.org>
      S: 250 2.1.0 Sender accepted
      C: MAIL FROM:<boss@example.org>
      S: 503 5.5.1 A transaction is open, RSET first
      C: DATA
      S: 503 5.5.1 RCPT first
      C: RCPT TO:<anna@example.net>
      S: 250 2.1.5 Recipient accepted
      C: DATA now
      S: 501 5.5.4 DATA takes no argument
      C: RSET
      S: 250 2.0.0 OK
      C: RCPT TO:<anna@example.net>
      S: 503 5.5.1 MAIL first
      C: STARTTLS
      S: 502 5.5.1 STARTTLS is not offered
      C: AUTH PLAIN
      S: 538 5.7.11 Encryption required, STARTTLS first
      C: LHLO c
      S: 500 5.5.1 LHLO is not for this service
      C: TURN
      S: 500 5.5.1 Command not recognized`;
    expect(await mail(anna)).toEqual([]);
  });

  it('EHLO resets the transaction', async () => {
    const { said } = await replies([
      lines(
        'EHLO c',
        'MAIL FROM:<carl@example.org>',
        'RCPT TO:<anna@example.net>',
        'HELO c',
        'DATA',
      ),
    ]);
    expect(said).toMatch(/250 mx\.example\.net greets c\r\n503 5\.5\.1 MAIL first\r\n$/);
  });

  it.each([
    '',
    ' ',
    'a b',
    '<a>',
    'a(comment)',
    'ä.example',
    'x'.repeat(256),
    'a;b',
    '[1.2.3.4',
    '$(id)',
    "a'b",
    '%00',
    '[IPv6:::1] x',
  ])('EHLO %j is refused', async (name) => {
    const { said } = await replies([`EHLO ${name}\r\nMAIL FROM:<a@example.org>\r\n`]);
    expect(said).toMatch(
      /501 5\.5\.4 Syntax: EHLO domain or address literal\r\n503 5\.5\.1 EHLO first\r\n$/,
    );
  });

  it.each([
    'client',
    'my_pc',
    '[192.0.2.1]',
    '[IPv6:2001:db8::1]',
    '192.0.2.1',
    'xn--bcher-kva.example',
  ])('EHLO %j is taken', async (name) => {
    expect((await replies([`HELO ${name}\r\n`])).said).toContain(
      `250 mx.example.net greets ${name}\r\n`,
    );
  });
});

describe('the early talker', () => {
  it('is sent away by an MX, while one that waits is greeted', async () => {
    const { dial, clock, events } = await world({ greetingDelay: 100 });
    const [early, patient] = [dial(), dial({ remoteAddress: '192.0.2.2' })];
    const said = ['', ''];
    [early, patient].forEach((stream, index) =>
      stream.on('data', (chunk: Buffer) => (said[index] += chunk.toString())),
    );
    early.write('EHLO c\r\n');
    await clock.advance(99);
    expect(said).toEqual(['421 4.7.0 You talk too soon\r\n', '']);
    await clock.advance(1);
    expect(said[1]).toBe('220 mx.example.net ESMTP\r\n');
    expect(events.map(({ event }) => event)).toContain('early talker');
  });

  it('is served at once where there is no delay, and as a known peer', async () => {
    for (const options of [
      { greetingDelay: 0 },
      { greetingDelay: 100, knownPeers: ['192.0.2.0/24'] },
    ]) {
      expect((await replies(['NOOP\r\n'], options)).said).toBe(
        '220 mx.example.net ESMTP\r\n250 2.0.0 OK\r\n',
      );
    }
  });
});

describe('a loop', () => {
  it('is a message with more than 30 Received fields', async () => {
    const hop = 'Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000';
    const hops = (count: number) =>
      `${envelope}${lines(...Array<string>(count).fill(hop), 'Subject: a', '', 'x', '.')}`;
    expect((await replies([hops(30)])).said).toContain(`250 2.0.0 Accepted as ${idAt(0)}\r\n`);
    expect((await replies([hops(31)])).said).toContain(
      '554 5.4.6 Mail loop: more than 30 Received fields\r\n',
    );
  });
});
