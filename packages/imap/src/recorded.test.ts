/** What real clients send, as they send it, with the oddities that a server has to bear. */
import { describe, it } from 'vitest';
import { clients, plain } from './fixtures/clients.ts';

const small = 'a: b\r\n\r\nx';

describe('a session of', () => {
  it('mbsync: 500 commands in one packet, answered in order', async () => {
    const talk = await clients(1, { INBOX: Array.from({ length: 500 }, () => small) });
    const numbers = Array.from({ length: 500 }, (_, i) => i + 1);
    await talk.send('', numbers.map((n) => `t${n} UID FETCH ${n} (BODY.PEEK[])\r\n`).join(''));
    const answers = numbers.map(
      (n) => `* ${n} FETCH (UID ${n} BODY[] {9}\r\n${small})\r\nt${n} OK UID FETCH completed`,
    );
    await talk`
      S: ${answers.join('\r\n')}`;
  });

  it('mbsync: append with flags and date, then CLOSE expunges', async () => {
    const talk = await clients(1, { INBOX: [small] });
    await talk.send(
      '',
      'a UID STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb APPEND "INBOX" (\\Seen) "01-Jan-2026 10:00:00 +0100" {9+}\r\n',
    );
    await talk.send('', `${small}\r\nc CHECK\r\nd CLOSE\r\ne LOGOUT\r\n`);
    await talk`
      S: a OK UID STORE completed
      S: * 2 EXISTS
      S: * 1 RECENT
      S: b OK [APPENDUID 1 2] APPEND completed
      S: c OK CHECK completed
      S: d OK CLOSE completed
      S: * BYE Logging out
      S: e OK LOGOUT completed`;
    await talk.closed();
  });

  it('getmail: sizes by sequence number, then bodies by uid', async () => {
    const talk = await clients(1, { INBOX: [small, small] });
    await talk`
      C: a FETCH 1:2 (UID RFC822.SIZE)
      S: * 1 FETCH (UID 1 RFC822.SIZE 9)
      S: * 2 FETCH (UID 2 RFC822.SIZE 9)
      S: a OK FETCH completed
      C: b UID FETCH 2 (BODY.PEEK[])
      S: * 2 FETCH (UID 2 BODY[] {9}
      S: a: b
      S:
      S: x)
      S: b OK UID FETCH completed`;
  });

  it('neomutt: ENABLE UTF8=ACCEPT, headers with many fields', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a0003 ENABLE UTF8=ACCEPT
      S: * ENABLED UTF8=ACCEPT
      S: a0003 OK ENABLE completed
      C: a0004 STATUS "INBOX" (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)
      S: * STATUS INBOX (UIDNEXT 2 UIDVALIDITY 1 UNSEEN 1 RECENT 0 MESSAGES 1)
      S: a0004 OK STATUS completed
      C: a0005 FETCH 1:1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM X-LABEL)])
      S: * 1 FETCH (UID 1 FLAGS () INTERNALDATE " 1-Jan-2026 12:00:00 +0000" RFC822.SIZE 171 BODY[HEADER.FIELDS (DATE FROM X-LABEL)] {73}
      S: From: Alice <alice@example.com>
      S: Date: Thu, 1 Jan 2026 12:00:00 +0000
      S:
      S: )
      S: a0005 OK FETCH completed`;
  });

  it('imaplib: atoms bare, eight bits in quotes once a charset is named', async () => {
    const talk = await clients(1, { INBOX: ['Subject: Grüße\r\n\r\n'] });
    await talk`
      C: ABCD1 SEARCH CHARSET UTF-8 SUBJECT "Grüße"
      S: * SEARCH 1
      S: ABCD1 OK SEARCH completed
      C: ABCD2 SEARCH CHARSET UTF-8 SUBJECT {7}
      S: + OK
      C: Grüße
      S: * SEARCH 1
      S: ABCD2 OK SEARCH completed`;
  });

  it('Mail::IMAPClient: lower-case search keys, BODY[] sets \\Seen', async () => {
    const talk = await clients(1, { INBOX: [small] });
    await talk`
      C: 1 UID SEARCH unseen
      S: * SEARCH 1
      S: 1 OK UID SEARCH completed
      C: 2 UID FETCH 1 BODY[]
      S: * 1 FETCH (UID 1 BODY[] {9}
      S: a: b
      S:
      S: x FLAGS (\Seen))
      S: 2 OK UID FETCH completed
      C: 3 UID SEARCH unseen
      S: * SEARCH
      S: 3 OK UID SEARCH completed`;
  });

  it('imapflow: everything with MODSEQ once CONDSTORE is on', async () => {
    const talk = await clients(1, { INBOX: [small] }, { enable: 'CONDSTORE' });
    await talk`
      C: 1 UID FETCH 1 (UID MODSEQ BODY[TEXT])
      S: * 1 FETCH (UID 1 MODSEQ (3) BODY[TEXT] {1}
      S: x FLAGS (\Seen))
      S: 1 OK UID FETCH completed
      C: 2 UID STORE 1 -FLAGS (\Seen)
      S: * 1 FETCH (UID 1 FLAGS () MODSEQ (4))
      S: 2 OK UID STORE completed
      C: 3 FETCH 1 BODY[TEXT]
      S: * 1 FETCH (BODY[TEXT] {1}
      S: x FLAGS (\Seen) MODSEQ (5))
      S: 3 OK FETCH completed`;
  });
});

describe('names that are not in NFC', () => {
  it('mean the same mailbox, and a client of IMAP4rev2 is told so (RFC 9051 section 5.1)', async () => {
    const talk = await clients(1, { INBOX: [] }, { enable: 'IMAP4rev2' });
    await talk`
      C: a CREATE "u${'\u0308'}ber"
      S: * LIST () "/" "über" ("OLDNAME" ("u${'\u0308'}ber"))
      S: a OK CREATE completed
      C: b STATUS "über" (MESSAGES)
      S: * STATUS "über" (MESSAGES 0)
      S: b OK STATUS completed
      C: b2 LIST "u${'\u0308'}" "%"
      S: * LIST (\HasNoChildren) "/" "über"
      S: b2 OK LIST completed
      C: b3 LIST "" "u${'\u0308'}*"
      S: * LIST (\HasNoChildren) "/" "über"
      S: b3 OK LIST completed
      C: c DELETE "u${'\u0308'}ber"
      S: * LIST (\Noselect \NonExistent) "/" "über" ("OLDNAME" ("u${'\u0308'}ber"))
      S: c OK DELETE completed`;
  });
});
