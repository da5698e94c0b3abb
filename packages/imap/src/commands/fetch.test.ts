import { sampleMessages } from '@mail-server-kit/core/testing';
import { MailError, type MailStore } from '@mail-server-kit/core';
import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

const { multipart, nested } = sampleMessages;
const envelope =
  '("Thu, 1 Jan 2026 12:00:00 +0000" "Lunch" (("Alice" NIL "alice" "example.com")) (("Alice" NIL "alice" "example.com")) (("Alice" NIL "alice" "example.com")) (("Bob" NIL "bob" "example.com")) NIL NIL NIL "<lunch@example.com>")';

describe('FETCH', () => {
  it('shows what the columns know', async () => {
    const date = Date.UTC(2026, 5, 9, 4, 5, 6);
    const talk = await clients(1, {
      INBOX: [plain, { octets: plain, flags: ['\\Seen', 'work'], date }],
    });
    await talk`
      C: a FETCH 2:1 (UID FLAGS INTERNALDATE RFC822.SIZE)
      S: * 1 FETCH (UID 1 FLAGS () INTERNALDATE " 1-Jan-2026 12:00:00 +0000" RFC822.SIZE 171)
      S: * 2 FETCH (UID 2 FLAGS (\Seen work) INTERNALDATE " 9-Jun-2026 04:05:06 +0000" RFC822.SIZE 171)
      S: a OK FETCH completed
      C: b UID FETCH 2:* FLAGS
      S: * 2 FETCH (UID 2 FLAGS (\Seen work))
      S: b OK UID FETCH completed
      C: c uid fetch 7:* (uid)
      S: * 2 FETCH (UID 2)
      S: c OK UID FETCH completed
      C: d UID FETCH 7 FLAGS
      S: d OK UID FETCH completed`;
  });

  it('ALL, FAST and FULL are names for several items', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    const fast = 'FLAGS () INTERNALDATE " 1-Jan-2026 12:00:00 +0000" RFC822.SIZE 171';
    await talk`
      C: a FETCH 1 FAST
      S: * 1 FETCH (${fast})
      S: a OK FETCH completed
      C: b FETCH 1 ALL
      S: * 1 FETCH (${fast} ENVELOPE ${envelope})
      S: b OK FETCH completed
      C: c FETCH 1 FULL
      S: * 1 FETCH (${fast} ENVELOPE ${envelope} BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 22 1))
      S: c OK FETCH completed
      C: d FETCH 1 (FAST)
      S: d BAD Unknown FETCH item FAST`;
  });

  it('BODY[] sets \\Seen for all messages of the command at once, and says so in the same response', async () => {
    const talk = await clients(2, {
      INBOX: ['a: b\r\n\r\nx', { octets: 'c: d\r\n\r\ny', flags: ['\\Seen'] }],
    });
    await talk`
      C1: a FETCH 1:2 BODY[TEXT]
      S1: * 1 FETCH (BODY[TEXT] {1}
      S1: x FLAGS (\Seen))
      S1: * 2 FETCH (BODY[TEXT] {1}
      S1: y)
      S1: a OK FETCH completed
      C2: b NOOP
      S2: * 1 FETCH (FLAGS (\Seen))
      S2: b OK NOOP completed
      C1: c SEARCH UNSEEN
      S1: * SEARCH
      S1: c OK SEARCH completed`;
  });

  it('header and text add up to the whole (fetchmail fetches them apart)', async () => {
    const talk = await clients(1, { INBOX: ['a: b\r\n\r\nx\r\n', 'a: b\r\n', '\r\nx'] });
    await talk`
      C: a FETCH 1:3 (RFC822.SIZE RFC822.HEADER BODY.PEEK[TEXT])
      S: * 1 FETCH (RFC822.SIZE 11 RFC822.HEADER {8}
      S: a: b
      S:
      S:  BODY[TEXT] {3}
      S: x
      S: )
      S: * 2 FETCH (RFC822.SIZE 6 RFC822.HEADER {6}
      S: a: b
      S:  BODY[TEXT] "")
      S: * 3 FETCH (RFC822.SIZE 3 RFC822.HEADER {2}
      S:
      S:  BODY[TEXT] {1}
      S: x)
      S: a OK FETCH completed`;
  });

  it('names the section as it was asked for (node-imap compares it)', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a FETCH 1 (BODY.PEEK[HEADER.FIELDS (subject X-None)] BODY.PEEK[HEADER.FIELDS.NOT (From To Subject Date)])
      S: * 1 FETCH (BODY[HEADER.FIELDS (subject X-None)] {18}
      S: Subject: Lunch
      S:
      S:  BODY[HEADER.FIELDS.NOT (From To Subject Date)] {35}
      S: Message-ID: <lunch@example.com>
      S:
      S: )
      S: a OK FETCH completed`;
  });

  it('finds parts within parts', async () => {
    const talk = await clients(1, { INBOX: [multipart, nested] });
    await talk`
      C: a FETCH 1 (BODY.PEEK[1.1] BODY.PEEK[1.1.MIME] BODY.PEEK[2] BODY.PEEK[3] BODY.PEEK[1.1.1])
      S: * 1 FETCH (BODY[1.1] {29}
      S: The caf=C3=A9 has a new menu. BODY[1.1.MIME] {88}
      S: Content-Type: text/plain; charset=utf-8
      S: Content-Transfer-Encoding: quoted-printable
      S:
      S:  BODY[2] {20}
      S: JVBERi0xLjQKJSVFT0YK BODY[3] NIL BODY[1.1.1] NIL)
      S: a OK FETCH completed
      C: b FETCH 2 (BODY.PEEK[2.HEADER.FIELDS (SUBJECT)] BODY.PEEK[2.TEXT] BODY.PEEK[2.1])
      S: * 2 FETCH (BODY[2.HEADER.FIELDS (SUBJECT)] {18}
      S: Subject: Lunch
      S:
      S:  BODY[2.TEXT] {22}
      S: Shall we have lunch?
      S:  BODY[2.1] {22}
      S: Shall we have lunch?
      S: )
      S: b OK FETCH completed`;
  });

  it('gives pieces of any size, and an empty string past the end (Jakarta Mail reads until it is short)', async () => {
    const talk = await clients(1, { INBOX: ['a: b\r\n\r\n0123456789'] });
    await talk`
      C: a FETCH 1 (BODY.PEEK[]<0.4> BODY.PEEK[TEXT]<7.100> BODY.PEEK[]<18.1> BODY.PEEK[HEADER.FIELDS (A)]<1.3>)
      S: * 1 FETCH (BODY[]<0> {4}
      S: a: b BODY[TEXT]<7> {3}
      S: 789 BODY[]<18> "" BODY[HEADER.FIELDS (A)]<1> {3}
      S: : b)
      S: a OK FETCH completed
      C: b FETCH 1 BODY.PEEK[]<0.0>
      S: b BAD Expected the length of a part, found "0" at octet 25`;
  });

  it('shows ENVELOPE and BODYSTRUCTURE as they were made at delivery', async () => {
    const talk = await clients(1, { INBOX: [plain, nested] });
    const inner = `("message" "rfc822" NIL NIL NIL "7bit" 171 ${envelope} ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 22 1) 7)`;
    await talk`
      C: a FETCH 1 (ENVELOPE BODYSTRUCTURE)
      S: * 1 FETCH (ENVELOPE ${envelope} BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 22 1 NIL NIL NIL NIL))
      S: a OK FETCH completed
      C: b FETCH 2 BODY
      S: * 2 FETCH (BODY (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 0)${inner} "mixed"))
      S: b OK FETCH completed`;
  });

  it('a message that cannot be read is left out, the others are shown', async () => {
    const broken = (store: MailStore): MailStore =>
      new Proxy(store, {
        get(target, key) {
          if (key !== 'read') {
            const value: unknown = Reflect.get(target, key);
            return typeof value === 'function' ? value.bind(target) : value;
          }
          return (source: { uid: number }, start?: number, end?: number) => {
            if (source.uid === 2) throw new MailError('CORRUPTION', 'The message is damaged');
            return target.read(source as never, start, end);
          };
        },
      });
    const talk = await clients(
      1,
      { INBOX: ['a: 1\r\n\r\n', 'a: 2\r\n\r\n', 'a: 3\r\n\r\n'] },
      { store: broken },
    );
    await talk`
      C: a FETCH 1:3 (UID BODY.PEEK[HEADER])
      S: * 1 FETCH (UID 1 BODY[HEADER] {8}
      S: a: 1
      S:
      S: )
      S: * 3 FETCH (UID 3 BODY[HEADER] {8}
      S: a: 3
      S:
      S: )
      S: a NO [CORRUPTION] The message is damaged`;
  });

  it('says what it does not understand', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a FETCH 1 (FLAGS FOO)
      S: a BAD Unknown FETCH item FOO
      C: b FETCH 1 BODY[FOO]
      S: b BAD Unknown section FOO
      C: c FETCH 1 BODY[MIME]
      S: c BAD Unknown section MIME
      C: d FETCH 2 FLAGS
      S: d BAD There is no message 2, the last one is 1
      C: e FETCH 0 FLAGS
      S: e BAD Expected a message number, found "0" at octet 9
      C: f FETCH 1 FLAGS FOO
      S: f BAD Expected "(", found "F" at octet 17
      C: g FETCH 1 ()
      S: g BAD Expected a FETCH item, found ")" at octet 12
      C: h FETCH 1 BODY[1.]
      S: h BAD Unknown section 1.
      C: i FETCH 1 BODY[HEADER.FIELDS ("Jörg")]
      S: i BAD A header field has a name of printable US-ASCII
      C: j FETCH 1 BODY.PEEK[HEADER.FIELDS ("a \"b\"")]
      S: * 1 FETCH (BODY[HEADER.FIELDS ("a \"b\"")] {2}
      S:
      S: )
      S: j OK FETCH completed`;
  });

  it('NUL stands in no literal of BODY (RFC 9051 section 9, rule 3)', async () => {
    const talk = await clients(1, { INBOX: ['a: \0\r\n\r\n\0'] });
    const instead = Buffer.of(0x80);
    await talk`
      C: a FETCH 1 (BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (A)] BINARY.PEEK[1])
      S: * 1 FETCH (BODY[] {9}
      S: a: ${instead}
      S:
      S: ${instead} BODY[HEADER.FIELDS (A)] {8}
      S: a: ${instead}
      S:
      S:  BINARY[1] ~{1}
      S: ${'\0'})
      S: a OK FETCH completed`;
  });

  it('of an empty mailbox 1:* is nothing, not an error', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a FETCH 1:* (FLAGS)
      S: a OK FETCH completed
      C: b UID FETCH 1:* (FLAGS)
      S: b OK UID FETCH completed
      C: c FETCH 1 FLAGS
      S: c BAD There is no message 1, the last one is 0`;
  });
});
