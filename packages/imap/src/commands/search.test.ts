import { describe, it } from 'vitest';
import { clients, plain, type Message } from '../fixtures/clients.ts';

function mail(subject: string, more: Partial<Message> = {}, body = 'text'): Message {
  const octets = `From: alice@example.com\r\nTo: Bob <bob@example.com>\r\nDate: Thu, 1 Jan 2026 23:30:00 -0500\r\nSubject: ${subject}\r\n\r\n${body}\r\n`;
  return { octets, ...more };
}

const day = (n: number): number => Date.UTC(2026, 0, n, 12);

const INBOX = [
  mail('one', { flags: ['\\Seen'], date: day(1) }),
  mail('two', { flags: ['\\Flagged', 'work'], date: day(2) }, 'Grüße aus Köln'),
  mail('three', { flags: ['\\Seen', '\\Answered'], date: day(3) }, 'x'.repeat(2000)),
  mail('Twofold', { flags: ['\\Deleted', '\\Draft'], date: day(4) }),
];

describe('SEARCH', () => {
  it('finds by what the columns know', async () => {
    const talk = await clients(1, { INBOX });
    const table: [string, string][] = [
      ['ALL', ' 1 2 3 4'],
      ['SEEN', ' 1 3'],
      ['unseen', ' 2 4'],
      ['ANSWERED', ' 3'],
      ['UNANSWERED', ' 1 2 4'],
      ['DELETED', ' 4'],
      ['UNDELETED', ' 1 2 3'],
      ['FLAGGED', ' 2'],
      ['UNFLAGGED', ' 1 3 4'],
      ['DRAFT', ' 4'],
      ['UNDRAFT', ' 1 2 3'],
      ['KEYWORD WORK', ' 2'],
      ['UNKEYWORD work', ' 1 3 4'],
      ['KEYWORD never', ''],
      ['BEFORE 3-Jan-2026', ' 1 2'],
      ['ON "3-Jan-2026"', ' 3'],
      ['SINCE 3-Jan-2026', ' 3 4'],
      ['LARGER 2000', ' 3'],
      ['SMALLER 2000', ' 1 2 4'],
      ['SMALLER 9223372036854775807', ' 1 2 3 4'],
      ['2:3', ' 2 3'],
      ['UID 3:*', ' 3 4'],
      ['UID 9', ''],
      ['*', ' 4'],
      ['NOT SEEN', ' 2 4'],
      ['OR SEEN DELETED', ' 1 3 4'],
      ['(SEEN ANSWERED)', ' 3'],
      ['NOT (OR SEEN (DELETED DRAFT))', ' 2'],
      ['2,4 NOT NOT UNSEEN', ' 2 4'],
      ['OLD', ' 1 2 3 4'],
      ['NEW', ''],
    ];
    for (const [keys, found] of table) {
      await talk`
        C: a SEARCH ${keys}
        S: * SEARCH${found}
        S: a OK SEARCH completed`;
    }
  });

  it('finds by what only the text knows', async () => {
    const talk = await clients(1, { INBOX });
    const table: [string, string][] = [
      ['SUBJECT two', ' 2 4'],
      ['SUBJECT "TWO" UNFLAGGED', ' 4'],
      ['FROM alice', ' 1 2 3 4'],
      ['TO bob', ' 1 2 3 4'],
      ['CC bob', ''],
      ['BCC ""', ''],
      ['HEADER Subject ""', ' 1 2 3 4'],
      ['HEADER X-None ""', ''],
      ['BODY "grüße"', ' 2'],
      ['TEXT thr', ' 3'],
      ['BODY thr', ''],
      ['TEXT ""', ' 1 2 3 4'],
      ['OR SUBJECT one BODY xxxx', ' 1 3'],
      ['NOT SUBJECT two', ' 1 3'],
      ['OR (SEEN SUBJECT one) (DRAFT NOT BODY y)', ' 1 4'],
      ['OR (SEEN SUBJECT one) (DRAFT NOT BODY text)', ' 1'],
      // The day of the Date field, its zone disregarded (RFC 9051 section 6.4.4).
      ['SENTON 1-Jan-2026', ' 1 2 3 4'],
      ['SENTBEFORE 1-Jan-2026', ''],
      ['SENTSINCE 2-Jan-2026', ''],
    ];
    for (const [keys, found] of table) {
      await talk`
        C: a SEARCH ${keys}
        S: * SEARCH${found}
        S: a OK SEARCH completed`;
    }
  });

  it('takes UTF-8 in quotes and in literals, and says which charsets it knows', async () => {
    const talk = await clients(1, { INBOX });
    await talk`
      C: a SEARCH CHARSET UTF-8 BODY {5}
      S: + OK
      C: Köln
      S: * SEARCH 2
      S: a OK SEARCH completed
      C: b SEARCH CHARSET utf-8 BODY {5+}
      C: Köln
      S: * SEARCH 2
      S: b OK SEARCH completed
      C: c SEARCH CHARSET "KOI8-R" BODY x
      S: c NO [BADCHARSET (US-ASCII UTF-8)] The charset is not supported
      C: d SEARCH BODY "K${Buffer.from([0xf6])}ln"
      S: d BAD The quoted string is not UTF-8`;
  });

  it('UID SEARCH finds uids', async () => {
    const talk = await clients(1, { INBOX });
    await talk`
      C: a STORE 1 +FLAGS.SILENT (\Deleted)
      S: a OK STORE completed
      C: b EXPUNGE
      S: * 4 EXPUNGE
      S: * 1 EXPUNGE
      S: b OK EXPUNGE completed
      C: c UID SEARCH ALL
      S: * SEARCH 2 3
      S: c OK UID SEARCH completed
      C: d UID SEARCH 1
      S: * SEARCH 2
      S: d OK UID SEARCH completed`;
  });

  it('RETURN chooses what is told (RFC 9051 section 6.4.4)', async () => {
    const talk = await clients(1, { INBOX });
    await talk`
      C: a1 SEARCH RETURN (MIN MAX COUNT MIN ALL) OR SEEN FLAGGED
      S: * ESEARCH (TAG "a1") MIN 1 MAX 3 COUNT 3 ALL 1:3
      S: a1 OK SEARCH completed
      C: b UID SEARCH RETURN () UNSEEN
      S: * ESEARCH (TAG "b") UID ALL 2,4
      S: b OK UID SEARCH completed
      C: c SEARCH RETURN (MIN ALL COUNT) KEYWORD never
      S: * ESEARCH (TAG "c") COUNT 0
      S: c OK SEARCH completed
      C: d SEARCH RETURN (FOO) ALL
      S: d BAD Unknown return option FOO`;
  });

  it('SAVE keeps the result for $ (RFC 9051 section 6.4.4.1)', async () => {
    const talk = await clients(1, { INBOX });
    await talk`
      C: a SEARCH RETURN (SAVE) SEEN
      S: a OK SEARCH completed
      C: b FETCH $ UID
      S: * 1 FETCH (UID 1)
      S: * 3 FETCH (UID 3)
      S: b OK FETCH completed
      C: c SEARCH $ ANSWERED
      S: * SEARCH 3
      S: c OK SEARCH completed
      C: d UID SEARCH RETURN (SAVE MIN) UNSEEN
      S: * ESEARCH (TAG "d") UID MIN 2
      S: d OK UID SEARCH completed
      C: e UID STORE $ +FLAGS.SILENT (x)
      S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft work x)
      S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft work x \*)] Flags and new keywords are kept
      S: e OK UID STORE completed
      C: f SEARCH KEYWORD x
      S: * SEARCH 2
      S: f OK SEARCH completed
      C: g SEARCH RETURN (SAVE) CHARSET X ALL
      S: g NO [BADCHARSET (US-ASCII UTF-8)] The charset is not supported
      C: g2 FETCH $ UID
      S: g2 OK FETCH completed
      C: h SEARCH RETURN (SAVE COUNT) KEYWORD never
      S: * ESEARCH (TAG "h") COUNT 0
      S: h OK SEARCH completed
      C: i FETCH $ UID
      S: i OK FETCH completed`;
  });

  it('answers with ESEARCH once IMAP4rev2 is enabled', async () => {
    const talk = await clients(1, { INBOX }, { enable: 'IMAP4rev2' });
    await talk`
      C: a SEARCH SEEN
      S: * ESEARCH (TAG "a") ALL 1,3
      S: a OK SEARCH completed
      C: b SEARCH KEYWORD never
      S: * ESEARCH (TAG "b")
      S: b OK SEARCH completed`;
  });

  it('has limits for keys and depth', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a SEARCH ${'SEEN '.repeat(1001)}SEEN
      S: a BAD [LIMIT] Too many search keys
      C: b SEARCH ${'NOT '.repeat(100)}SEEN
      S: b BAD [LIMIT] Nested too deeply
      C: c SEARCH ${'('.repeat(10_000)}SEEN
      S: c BAD [LIMIT] Nested too deeply
      C: d SEARCH FOO
      S: d BAD Unknown search key FOO
      C: e SEARCH
      S: e BAD Expected a search key, found the end at octet 9`;
  });
});
