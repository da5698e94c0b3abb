import { transcript } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { clients, plain, setting } from '../fixtures/clients.ts';

const system = String.raw`\Answered \Flagged \Deleted \Seen \Draft`;

describe('SELECT', () => {
  it('tells a client of RFC 3501 all that it needs, the first unseen message included', async () => {
    const { client } = await setting({
      mailboxes: {
        INBOX: [
          { octets: plain, flags: ['\\Seen'] },
          { octets: plain, flags: ['$Junk'] },
        ],
      },
    });
    const talk = transcript(await client());
    await talk`
      C: a SELECT inbox
      S: * FLAGS (${system} $Junk)
      S: * OK [PERMANENTFLAGS (${system} $Junk \*)] Flags and new keywords are kept
      S: * 2 EXISTS
      S: * 0 RECENT
      S: * OK [UNSEEN 2] First unseen
      S: * OK [UIDVALIDITY 1] UIDs valid
      S: * OK [UIDNEXT 3] Predicted next UID
      S: * OK [HIGHESTMODSEQ 3] Highest modification sequence
      S: a OK [READ-WRITE] SELECT completed`;
  });

  it('shows a client of RFC 9051 the LIST response, and no RECENT', async () => {
    const { client } = await setting();
    const talk = transcript(await client('ENABLE IMAP4rev2'));
    await talk`
      C: a SELECT INBOX
      S: * FLAGS (${system})
      S: * OK [PERMANENTFLAGS (${system} \*)] Flags and new keywords are kept
      S: * 0 EXISTS
      S: * OK [UIDVALIDITY 1] UIDs valid
      S: * OK [UIDNEXT 1] Predicted next UID
      S: * OK [HIGHESTMODSEQ 1] Highest modification sequence
      S: * LIST (\HasNoChildren) "/" INBOX
      S: a OK [READ-WRITE] SELECT completed`;
  });

  it('deselects also when the new mailbox is not there (RFC 9051 section 6.3.2)', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a SELECT Nowhere
      S: * OK [CLOSED] Previous mailbox is now closed
      S: a NO [NONEXISTENT] There is no such mailbox
      C: b FETCH 1 FLAGS
      S: b BAD FETCH is for the selected state (RFC 9051 section 3)`;
  });

  it('EXAMINE refuses every write, and sets no \\Seen', async () => {
    const { client } = await setting({ mailboxes: { INBOX: [plain] } });
    const talk = transcript(await client());
    await talk`
      C: a EXAMINE INBOX
      S: * FLAGS (${system})
      S: * OK [PERMANENTFLAGS ()] No flags can be changed
      S: * 1 EXISTS
      S: * 0 RECENT
      S: * OK [UNSEEN 1] First unseen
      S: * OK [UIDVALIDITY 1] UIDs valid
      S: * OK [UIDNEXT 2] Predicted next UID
      S: * OK [HIGHESTMODSEQ 2] Highest modification sequence
      S: a OK [READ-ONLY] EXAMINE completed
      C: b STORE 1 +FLAGS (\Seen)
      S: b NO [READ-ONLY] The mailbox was opened with EXAMINE
      C: c EXPUNGE
      S: c NO [READ-ONLY] The mailbox was opened with EXAMINE
      C: d MOVE 1 INBOX
      S: d NO [READ-ONLY] The mailbox was opened with EXAMINE
      C: e FETCH 1 (BODY[HEADER.FIELDS (SUBJECT)] FLAGS)
      S: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {18}
      S: Subject: Lunch
      S:
      S:  FLAGS ())
      S: e OK FETCH completed`;
  });

  it('a message is recent to one client only (RFC 3501 section 2.3.2)', async () => {
    const { client, append, clock } = await setting();
    await clock.advance(1000);
    await append('INBOX', plain);
    const talk = transcript({ 1: await client('SELECT INBOX'), 2: await client('SELECT INBOX') });
    await talk`
      C1: a FETCH 1 FLAGS
      S1: * 1 FETCH (FLAGS (\Recent))
      S1: a OK FETCH completed
      C2: a FETCH 1 FLAGS
      S2: * 1 FETCH (FLAGS ())
      S2: a OK FETCH completed
      C1: b SEARCH RECENT
      S1: * SEARCH 1
      S1: b OK SEARCH completed`;
    await append('INBOX', plain);
    await talk`
      C2: b NOOP
      S2: * 2 EXISTS
      S2: * 1 RECENT
      S2: b OK NOOP completed
      C1: c NOOP
      S1: * 2 EXISTS
      S1: * 1 RECENT
      S1: c OK NOOP completed
      C1: d SEARCH OLD
      S1: * SEARCH 2
      S1: d OK SEARCH completed`;
  });

  it('CLOSE expunges in silence, UNSELECT does not', async () => {
    const talk = await clients(2, { INBOX: [{ octets: plain, flags: ['\\Deleted'] }, plain] });
    await talk`
      C1: a UNSELECT
      S1: a OK UNSELECT completed
      C2: a CLOSE
      S2: a OK CLOSE completed
      C1: b STATUS INBOX (MESSAGES)
      S1: * STATUS INBOX (MESSAGES 1)
      S1: b OK STATUS completed`;
  });
});
