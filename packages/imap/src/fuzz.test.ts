/**
 * Commands with octets changed, cut, doubled and mixed: whatever comes, the server answers or says goodbye; it never
 * falls over, never hangs, and goes on serving the next client. FUZZ_SECONDS, FUZZ_SEED.
 */
import assert from 'node:assert/strict';
import { seededRandom, turn, type SeededRandom } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { answerOf, plain, setting } from './fixtures/clients.ts';

const seconds = Number(process.env.FUZZ_SECONDS ?? 60);
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);

const corpus = [
  'a NOOP',
  'a CAPABILITY',
  'a LOGIN alice@example.com secret',
  'a LOGIN "alice@example.com" {6+}\r\nsecret',
  'a AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==',
  'a AUTHENTICATE LOGIN\r\nYQ==\r\nYQ==',
  'a ENABLE IMAP4rev2 CONDSTORE UTF8=ACCEPT',
  'a SELECT INBOX (CONDSTORE)',
  'a EXAMINE {5+}\r\nINBOX',
  'a LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "*a%") RETURN (STATUS (MESSAGES SIZE) CHILDREN)',
  'a LSUB "" "%/%"',
  'a STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ)',
  'a CREATE "a/b" (USE (\\Drafts))',
  'a RENAME a b',
  'a DELETE b',
  'a SUBSCRIBE &U,BTFw-',
  'a APPEND INBOX (\\Seen $x) "17-Jul-1996 02:44:25 -0700" {12+}\r\na: b\r\n\r\ntext',
  'a APPEND INBOX ~{3+}\r\na\0b',
  'a APPEND INBOX UTF8 (~{3+}\r\nabc)',
  'a FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE MODSEQ)',
  'a FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT "X-Y")]<0.100> BODY[1.2.MIME] BINARY.SIZE[1])',
  'a UID FETCH 1:5,*:2 (FLAGS) (CHANGEDSINCE 5)',
  'a STORE 1:2 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Deleted key)',
  'a SEARCH RETURN (MIN MAX COUNT SAVE) CHARSET UTF-8 OR (NOT SEEN SUBJECT "x") HEADER X {1+}\r\ny',
  'a UID SEARCH $ SINCE 1-Feb-1994 UID 1:* MODSEQ 4 LARGER 5',
  'a COPY 1 INBOX',
  'a UID MOVE 1:* a/b',
  'a EXPUNGE',
  'a IDLE\r\nDONE',
  'a ID ("name" "x" "version" NIL)',
  'a CLOSE',
  'a STARTTLS',
];

function mutate(octets: Buffer, random: SeededRandom): Buffer {
  let out = Buffer.from(octets);
  for (let n = random.integer(4); n > 0; n--) {
    const at = random.integer(out.length + 1);
    const end = Math.min(out.length, at + random.integer(12));
    const put = random.pick<Buffer>([
      Buffer.alloc(0),
      Buffer.from(random.bytes(random.integer(6))),
      Buffer.from(
        random.pick([
          '(',
          ')',
          '{',
          '}',
          '"',
          '\\',
          '*',
          '%',
          '\r\n',
          '\0',
          ' ',
          '$',
          '4294967296',
          '{5}',
          '{3+}\r\n',
          '[',
          ']',
          '<',
          '>',
          '&',
          'é',
          '()',
        ]),
      ),
      out.subarray(at, end),
      Buffer.concat(Array.from({ length: random.integer(50) }, () => out.subarray(at, end))),
    ]);
    out = Buffer.concat([out.subarray(0, at), put, out.subarray(random.pick([at, end]))]);
  }
  return out;
}

describe('whatever octets come', () => {
  it(
    `the server goes on (FUZZ_SEED=${seed})`,
    async () => {
      console.log(`FUZZ_SEED=${seed}`);
      const random = seededRandom(seed);
      const until = Date.now() + seconds * 1000;
      let rounds = 0;
      while (Date.now() < until) {
        const { client, connect, logged, clock, server } = await setting({
          mailboxes: { INBOX: [plain, plain, plain], a: [] },
        });
        const sent: Buffer[] = [];
        const streams = [await client(), await client('SELECT INBOX'), connect()];
        for (const stream of streams) {
          stream.on('error', () => {});
          stream.resume();
        }
        for (let i = 0; i < 60; i++) {
          const line = Buffer.concat([
            mutate(Buffer.from(random.pick(corpus)), random),
            Buffer.from('\r\n'),
          ]);
          sent.push(line);
          const stream = random.pick(streams);
          const cut = random.integer(line.length);
          if (stream.writable) stream.write(line.subarray(0, cut));
          if (random.chance(0.3)) await turn();
          if (stream.writable) stream.write(line.subarray(cut));
          if (random.chance(0.1)) await turn();
        }
        for (let i = 0; i < 10; i++) await turn();
        const context = `round ${rounds}: ${JSON.stringify(Buffer.concat(sent).toString('latin1'))}`;
        assert.ok(
          !logged.some((event) => event.endsWith('failed') && event !== 'login failed'),
          context,
        );
        const next = await client('SELECT INBOX');
        next.write('ok NOOP\r\n');
        assert.ok((await answerOf(next, 'ok')).endsWith('ok OK NOOP completed\r\n'));
        // Whoever stands in the middle of something is let go in the end.
        for (let i = 0; i < 5 && server.connections > 0; i++) {
          await clock.advance(31 * 60_000);
          await turn();
        }
        assert.equal(server.connections, 0, context);
        rounds++;
      }
      console.log(`${rounds} rounds`);
    },
    (seconds + 30) * 1000,
  );
});
