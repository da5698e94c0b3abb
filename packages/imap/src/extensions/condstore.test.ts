import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

describe('CONDSTORE', () => {
  it('after ENABLE every response that tells of flags tells the modseq', async () => {
    const talk = await clients(2, { INBOX: [plain, plain] }, { enable: 'CONDSTORE' });
    await talk`
      C1: a STORE 1 +FLAGS (\Seen)
      S1: * 1 FETCH (FLAGS (\Seen) MODSEQ (4))
      S1: a OK STORE completed
      C1: b UID STORE 2 +FLAGS.SILENT (\Seen)
      S1: * 2 FETCH (UID 2 MODSEQ (5))
      S1: b OK UID STORE completed
      C2: c NOOP
      S2: * 1 FETCH (FLAGS (\Seen) MODSEQ (4))
      S2: * 2 FETCH (FLAGS (\Seen) MODSEQ (5))
      S2: c OK NOOP completed`;
  });

  it('a client that did not ask sees none of it', async () => {
    const talk = await clients(2, { INBOX: [plain] });
    await talk`
      C1: a STORE 1 +FLAGS (\Seen)
      S1: * 1 FETCH (FLAGS (\Seen))
      S1: a OK STORE completed
      C2: b NOOP
      S2: * 1 FETCH (FLAGS (\Seen))
      S2: b OK NOOP completed`;
  });

  it('UNCHANGEDSINCE leaves alone what somebody else has changed (RFC 7162 section 3.1.3)', async () => {
    const talk = await clients(2, { INBOX: [plain, plain, plain] });
    await talk`
      C1: a FETCH 1:* (FLAGS MODSEQ)
      S1: * OK [HIGHESTMODSEQ 4] Highest modification sequence
      S1: * 1 FETCH (FLAGS () MODSEQ (2))
      S1: * 2 FETCH (FLAGS () MODSEQ (3))
      S1: * 3 FETCH (FLAGS () MODSEQ (4))
      S1: a OK FETCH completed
      C2: b STORE 2 +FLAGS (\Flagged)
      S2: * 2 FETCH (FLAGS (\Flagged))
      S2: b OK STORE completed
      C1: c UID STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS (\Seen)
      S1: * 2 FETCH (FLAGS (\Flagged) MODSEQ (5))
      S1: * 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (6))
      S1: * 3 FETCH (UID 3 FLAGS (\Seen) MODSEQ (6))
      S1: * 2 FETCH (UID 2 FLAGS (\Flagged) MODSEQ (5))
      S1: c OK [MODIFIED 2] Some were changed meanwhile`;
  });

  it('CHANGEDSINCE shows what changed, with its modseq', async () => {
    const talk = await clients(1, { INBOX: [plain, plain, plain] });
    await talk`
      C: a STORE 2 +FLAGS.SILENT (\Seen)
      S: a OK STORE completed
      C: b UID FETCH 1:* (FLAGS) (CHANGEDSINCE 4)
      S: * OK [HIGHESTMODSEQ 5] Highest modification sequence
      S: * 2 FETCH (UID 2 FLAGS (\Seen) MODSEQ (5))
      S: b OK UID FETCH completed
      C: c FETCH 1:* FLAGS (CHANGEDSINCE 5)
      S: c OK FETCH completed
      C: d FETCH 1 FLAGS (FOO 1)
      S: d BAD Unknown FETCH modifier FOO`;
  });

  it('SEARCH MODSEQ tells the highest of what it found (RFC 7162 section 3.1.6)', async () => {
    const talk = await clients(1, { INBOX: [plain, plain, plain] });
    await talk`
      C: a SEARCH MODSEQ 3
      S: * OK [HIGHESTMODSEQ 4] Highest modification sequence
      S: * SEARCH 2 3 (MODSEQ 4)
      S: a OK SEARCH completed
      C: w SEARCH MODSEQ "/flags/\\seen" some 3
      S: w BAD Expected priv, shared or all
      C: v SEARCH MODSEQ 9223372036854775807
      S: * SEARCH
      S: v OK SEARCH completed
      C: x SEARCH MODSEQ 3 OR MODSEQ 2 SEEN
      S: * SEARCH 2 3 (MODSEQ 4)
      S: x OK SEARCH completed
      C: b SEARCH MODSEQ "/flags/\\draft" all 99
      S: * SEARCH
      S: b OK SEARCH completed
      C: c SEARCH RETURN (MIN) MODSEQ 2
      S: * ESEARCH (TAG "c") MIN 1 MODSEQ 2
      S: c OK SEARCH completed
      C: d UID SEARCH RETURN (ALL) MODSEQ 2
      S: * ESEARCH (TAG "d") UID ALL 1:3 MODSEQ 4
      S: d OK UID SEARCH completed`;
  });

  it('what removes messages tells the new HIGHESTMODSEQ (RFC 6851 section 4.4)', async () => {
    const talk = await clients(1, { INBOX: [plain, plain], a: [] }, { enable: 'CONDSTORE' });
    await talk`
      C: a MOVE 1 a
      S: * OK [COPYUID 2 1 1] Moved
      S: * 1 EXPUNGE
      S: a OK [HIGHESTMODSEQ 5] MOVE completed
      C: b STORE 1 +FLAGS.SILENT (\Deleted)
      S: * 1 FETCH (MODSEQ (6))
      S: b OK STORE completed
      C: c UID EXPUNGE 2
      S: * 1 EXPUNGE
      S: c OK [HIGHESTMODSEQ 7] UID EXPUNGE completed
      C: d EXPUNGE
      S: d OK EXPUNGE completed`;
  });

  it('its first use with a mailbox open tells HIGHESTMODSEQ, the second does not (RFC 7162 section 3.1)', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\Seen)
      S: * OK [HIGHESTMODSEQ 2] Highest modification sequence
      S: * 1 FETCH (FLAGS () MODSEQ (2))
      S: a OK [MODIFIED 1] Some were changed meanwhile
      C: b STATUS INBOX (HIGHESTMODSEQ)
      S: * STATUS INBOX (HIGHESTMODSEQ 2)
      S: b OK STATUS completed`;
  });

  it('SELECT (CONDSTORE) switches it on', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a UNSELECT
      S: a OK UNSELECT completed
      C: b SELECT INBOX (CONDSTORE)
      S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
      S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags and new keywords are kept
      S: * 1 EXISTS
      S: * 0 RECENT
      S: * OK [UNSEEN 1] First unseen
      S: * OK [UIDVALIDITY 1] UIDs valid
      S: * OK [UIDNEXT 2] Predicted next UID
      S: * OK [HIGHESTMODSEQ 2] Highest modification sequence
      S: b OK [READ-WRITE] SELECT completed
      C: c STORE 1 FLAGS (\Seen)
      S: * 1 FETCH (FLAGS (\Seen) MODSEQ (3))
      S: c OK STORE completed`;
  });
});
