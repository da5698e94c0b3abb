/** What hostile clients do, and what becomes of it. */
import assert from 'node:assert/strict';
import { transcript, turn } from '@mail-server-kit/core/testing';
import type { Duplex } from 'node:stream';
import { describe, it } from 'vitest';
import { answerOf, clients, plain, setting } from './fixtures/clients.ts';

const greeting =
  '* OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN] IMAP server ready';

async function stranger(options?: Parameters<typeof setting>[0]) {
  const made = await setting(options);
  const talk = transcript(made.connect());
  await talk`
    S: ${greeting}`;
  return Object.assign(talk, { setting: made });
}

describe('before login', () => {
  it('a line without end is cut off at 8 KB', async () => {
    const talk = await stranger();
    await talk.send('', 'a'.repeat(8195));
    await talk`
      S: * BYE Line too long`;
    await talk.closed();
  });

  it('a literal above 8 KB is not asked for, and not borne unasked', async () => {
    const talk = await stranger();
    await talk`
      C: a LOGIN {8193}
      S: a BAD [TOOBIG] Too many or too large literals
      C: b LOGIN {99999999999999999999}
      S: b BAD [TOOBIG] Too many or too large literals
      C: c LOGIN {8193+}
      S: * BYE [TOOBIG] Literal too large`;
    await talk.closed();
  });

  it('many small literals in one command are no way around it', async () => {
    const talk = await stranger();
    await talk.send(
      '',
      `a LOGIN {8000+}\r\n${'x'.repeat(8000)} {8000+}\r\n${'x'.repeat(8000)} {8000+}\r\n`,
    );
    await talk`
      S: * BYE [TOOBIG] Literal too large`;
    await talk.closed();
  });

  it('a literal for an unknown command is not asked for', async () => {
    const talk = await stranger();
    await talk`
      C: a FROB {5}
      S: a BAD Unknown command FROB
      C: b APPEND INBOX {5}
      S: b BAD APPEND is for the authenticated state (RFC 9051 section 3)
      C: a+b NOOP
      S: * BAD Expected a space, found "+" at octet 2`;
  });

  it('parentheses nested 10,000 deep are refused without recursion', async () => {
    const talk = await stranger();
    await talk`
      C: a ID ${'('.repeat(4000)}
      S: a BAD Expected a name, found "(" at octet 7`;
    const inside = await clients(1, { INBOX: [plain] });
    await inside`
      C: a SEARCH ${'('.repeat(10_000)}ALL${')'.repeat(10_000)}
      S: a BAD [LIMIT] Nested too deeply
      C: b SEARCH ${'NOT '.repeat(10_000)}ALL
      S: b BAD [LIMIT] Nested too deeply
      C: c SEARCH ${'OR '.repeat(10_000)}ALL
      S: c BAD [LIMIT] Nested too deeply
      C: d FETCH 1 (${'('.repeat(10_000)}
      S: d BAD Expected a FETCH item, found "(" at octet 12
      C: e LIST "" (${'('.repeat(10_000)}
      S: e BAD Expected a mailbox pattern, found "(" at octet 12
      C: f FETCH 1 BODY[${'1.'.repeat(10_000)}1]
      S: f BAD [LIMIT] Section too deep`;
  });

  it('who speaks another language is let go after ten tries', async () => {
    const talk = await stranger();
    const request = ['POST / HTTP/1.1', ...Array.from({ length: 9 }, (_, i) => `Header-${i}: x`)];
    await talk.send('', `${request.join('\r\n')}\r\n\r\n`);
    await talk`
      S: POST BAD Unknown command /
      S: Header-0: BAD Unknown command X
      S: Header-1: BAD Unknown command X
      S: Header-2: BAD Unknown command X
      S: Header-3: BAD Unknown command X
      S: Header-4: BAD Unknown command X
      S: Header-5: BAD Unknown command X
      S: Header-6: BAD Unknown command X
      S: Header-7: BAD Unknown command X
      S: Header-8: BAD Unknown command X
      S: * BYE Too many commands that are none`;
    await talk.closed();
  });

  it('NUL and other octets have no meaning anywhere', async () => {
    const talk = await stranger();
    await talk.send(
      '',
      'a LO\0GIN x y\r\nb LOGIN "x\0" y\r\nc LOGIN {3+}\r\nx\0z y\r\n\0\r\nd NOOP\0\r\n\x80\xff NOOP\r\n',
    );
    await talk`
      S: a BAD Unknown command LO
      S: b BAD Expected a quoted string without NUL, CR and LF, found octet 0 at octet 11
      S: c BAD NUL is not allowed in a literal
      S: * BAD Expected a tag, found octet 0 at octet 1
      S: d BAD Expected a space, found octet 0 at octet 7
      S: * BAD Expected a tag, found octet 194 at octet 1`;
  });

  it('every command of another state is refused', async () => {
    const talk = await stranger({ limits: { badBeforeLogin: 100 } });
    const table = {
      authenticated: [
        'SELECT x',
        'LIST "" *',
        'STATUS x (MESSAGES)',
        'IDLE',
        'ENABLE X',
        'CREATE x',
        'NAMESPACE',
      ],
      selected: [
        'FETCH 1 FLAGS',
        'UID FETCH 1 FLAGS',
        'STORE 1 FLAGS ()',
        'SEARCH ALL',
        'EXPUNGE',
        'CLOSE',
        'COPY 1 x',
      ],
    };
    for (const [state, commands] of Object.entries(table)) {
      for (const line of commands) {
        const name = line.replace('UID ', '').split(' ')[0]!;
        await talk`
          C: a ${line}
          S: a BAD ${name} is for the ${state} state (RFC 9051 section 3)`;
      }
    }
    await talk`
      C: b UID NOOP
      S: b BAD Unknown command UID NOOP
      C: c UID
      S: c BAD Expected a space, found the end at octet 6`;
  });

  it('who does not log in is let go after a minute, however busy', async () => {
    const talk = await stranger();
    const { clock } = talk.setting;
    await clock.advance(50_000);
    await talk`
      C: a NOOP
      S: a OK NOOP completed`;
    await clock.advance(9_999);
    await talk.send('', 'b NO');
    await clock.advance(1);
    await talk`
      S: * BYE The login took too long`;
    await talk.closed();
  });
});

describe('after login', () => {
  it('a line may have 64 KB, a command 1 MB, and no more', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a SEARCH SUBJECT "${'x'.repeat(60_000)}"
      S: * SEARCH
      S: a OK SEARCH completed
      C: b SEARCH SUBJECT {1048577}
      S: b BAD [TOOBIG] Too many or too large literals`;
    await talk.send('', `c SEARCH SUBJECT {1100000+}\r\n${'x'.repeat(1_100_000)}\r\n`);
    await talk`
      S: c BAD [TOOBIG] Too many or too large literals
      C: d NOOP
      S: d OK NOOP completed`;
    await talk.send('', `e SEARCH SUBJECT "${'x'.repeat(70_000)}`);
    await talk`
      S: * BYE Line too long`;
    await talk.closed();
  });

  it('a thousand literals in one command are too many', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    const literals = Array.from({ length: 1000 }, () => '{1+}\r\nx').join(' SUBJECT ');
    await talk.send('', `a SEARCH SUBJECT ${literals}\r\nb NOOP\r\n`);
    await talk`
      S: a BAD [TOOBIG] Too many or too large literals
      S: b OK NOOP completed`;
  });

  it('refused literals are thrown away up to a limit only', async () => {
    const talk = await clients(1, { INBOX: [] }, { limits: { discardOctets: 100_000 } });
    await talk.send('', `a APPEND Nowhere {100001+}\r\n`);
    await talk`
      S: a NO [TRYCREATE] There is no such mailbox
      S: * BYE [TOOBIG] Literal too large`;
    await talk.closed();
  });

  it('a client that stops in the middle of a command is let go after five minutes', async () => {
    const talk = await clients(1, { INBOX: [] });
    const { clock } = talk.setting;
    await talk`
      C: a APPEND INBOX {10}
      S: + OK`;
    await talk.send('', '12345');
    await clock.advance(4 * 60_000);
    await talk.send('', '678');
    await clock.advance(5 * 60_000);
    await talk`
      S: * BYE Too slow`;
    await talk.closed();
    assert.equal((await talk.setting.mailbox('INBOX')).messages, 0);
  });

  it('a client that does not read holds no memory, and is let go after five minutes', async () => {
    const big = `a: b\r\n\r\n${'x'.repeat(98)}\r\n`.padEnd(1_000_000, 'y');
    const { client, clock, server } = await setting({ mailboxes: { INBOX: [big] } });
    const stream = await client('SELECT INBOX');
    for (let i = 0; i < 200; i++) stream.write(`a${i} FETCH 1 BODY.PEEK[]\r\n`);
    for (let i = 0; i < 50; i++) await turn();
    // Of 200 MB that were asked for, what fits between the two ends has been made.
    assert.ok(stream.readableLength < 200_000, `${stream.readableLength} octets wait`);
    assert.equal(server.connections, 1);
    await clock.advance(5 * 60_000);
    await turn();
    assert.equal(server.connections, 0);
  });

  it('500 connections that idle cost the one that works nothing', async () => {
    const { client, server, append, clock } = await setting({
      mailboxes: { INBOX: [plain, plain] },
    });
    const idle = await Promise.all(Array.from({ length: 500 }, () => client('SELECT INBOX')));
    for (const stream of idle) stream.write('i IDLE\r\n');
    const worker = await client('SELECT INBOX');
    assert.equal(server.connections, 501);
    const start = performance.now();
    for (let i = 0; i < 100; i++) {
      worker.write('a FETCH 1:* (UID FLAGS)\r\n');
      await answerOf(worker, 'a');
    }
    assert.ok(performance.now() - start < 3000);
    await append('INBOX', plain);
    for (let i = 0; i < 20; i++) await turn();
    for (const stream of idle) {
      const said = String(stream.read());
      assert.ok(said.includes('* 3 EXISTS\r\n'), said);
    }
    await clock.advance(1000);
    for (const stream of idle) stream.destroy();
  });

  it('a sequence set with every number one by one is no more than its range', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    const set = '1,'.repeat(20_000);
    await talk`
      C: a FETCH ${set}1 UID
      S: * 1 FETCH (UID 1)
      S: a OK FETCH completed
      C: b UID FETCH 1:4294967295 UID
      S: * 1 FETCH (UID 1)
      S: b OK UID FETCH completed
      C: c UID SEARCH RETURN (COUNT) UID 1:4294967295
      S: * ESEARCH (TAG "c") UID COUNT 1
      S: c OK UID SEARCH completed`;
  });

  it('structures of many parts, gone through for a line of each, do not keep others waiting', async () => {
    const part =
      '--b\r\nContent-Type: text/plain; name="a file with a long name.txt"\r\n\r\ntext\r\n';
    const head = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n';
    const message = `${head}${part.repeat(2000)}--b--\r\n`;
    const { client } = await setting({ mailboxes: { INBOX: Array(4).fill(message) } });
    const [busy, other] = [await client('SELECT INBOX'), await client()];
    const said: string[] = [];
    const asked = (stream: Duplex, tag: string) =>
      answerOf(stream, tag).then(() => void said.push(tag));
    busy.write('a FETCH 1:* BODY.PEEK[1999.MIME]\r\n');
    other.write('b NOOP\r\n');
    await Promise.all([asked(busy, 'a'), asked(other, 'b')]);
    assert.deepEqual(said, ['b', 'a']);
  });

  it('an error that nobody foresaw is told to the operator, not to the client', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    talk.setting.store.commit = () => {
      throw new TypeError('secret detail');
    };
    const report = console.error;
    console.error = () => {};
    await talk`
      C: a STORE 1 +FLAGS (x)
      S: a NO [SERVERBUG] Internal error, the operator was told
      C: b NOOP
      S: b OK NOOP completed`;
    console.error = report;
    assert.ok(talk.setting.logged.includes('command failed'));
  });

  it('what a client sends cannot end a line of the answer', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk.send('', 'a CREATE {8+}\r\nx\r\n* BYE\r\n');
    await talk`
      S: a BAD The mailbox name is not modified UTF-7 (RFC 3501 section 5.1.3)
      C: b NOOP
      S: b OK NOOP completed`;
  });
});
