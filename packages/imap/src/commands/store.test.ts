import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

describe('STORE', () => {
  it('adds, removes and replaces flags and shows what they are now', async () => {
    const talk = await clients(1, { INBOX: [plain, plain] });
    await talk`
      C: a STORE 1:2 +FLAGS (\Seen $Forwarded)
      S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
      S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded \*)] Flags and new keywords are kept
      S: * 1 FETCH (FLAGS (\Seen $Forwarded))
      S: * 2 FETCH (FLAGS (\Seen $Forwarded))
      S: a OK STORE completed
      C: b STORE 1 -flags \seen
      S: * 1 FETCH (FLAGS ($Forwarded))
      S: b OK STORE completed
      C: c STORE 2 FLAGS \Flagged \Draft
      S: * 2 FETCH (FLAGS (\Flagged \Draft))
      S: c OK STORE completed
      C: d UID STORE 2 FLAGS ()
      S: * 2 FETCH (UID 2 FLAGS ())
      S: d OK UID STORE completed
      C: e STORE 1 +FLAGS ($forwarded)
      S: * 1 FETCH (FLAGS ($Forwarded))
      S: e OK STORE completed`;
  });

  it('.SILENT is silent, but not about what somebody else changed', async () => {
    const talk = await clients(2, { INBOX: [plain, plain] });
    await talk`
      C1: a STORE 1 +FLAGS.SILENT (\Seen)
      S1: a OK STORE completed
      C2: b STORE 1:2 +FLAGS.SILENT (\Flagged)
      S2: * 1 FETCH (FLAGS (\Seen))
      S2: b OK STORE completed
      C1: c STORE 1 +FLAGS.SILENT (\Answered)
      S1: * 1 FETCH (FLAGS (\Flagged \Seen))
      S1: * 2 FETCH (FLAGS (\Flagged))
      S1: c OK STORE completed`;
  });

  it('refuses \\Recent and what is no flag', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a STORE 1 +FLAGS (\Recent)
      S: a BAD \Recent cannot be set or cleared (RFC 3501 section 2.3.2)
      C: b STORE 1 +FLAGS (a"b)
      S: b BAD Expected ")", found """ at octet 20
      C: b2 STORE 1 FLAGS (\Seen \Important)
      S: b2 BAD There is no system flag \Important
      C: c STORE 1 FOO (\Seen)
      S: c BAD Only FLAGS can be stored`;
  });

  it('says so when no more keywords fit (RFC 9051 section 7.1, PERMANENTFLAGS)', async () => {
    const talk = await clients(2, { INBOX: [plain] });
    const names = Array.from({ length: 59 }, (_, i) => `k${i}`).join(' ');
    const all = String.raw`\Answered \Flagged \Deleted \Seen \Draft ${names}`;
    await talk`
      C1: a STORE 1 +FLAGS.SILENT (${names})
      S1: * FLAGS (${all})
      S1: * OK [PERMANENTFLAGS (${all})] No more keywords fit
      S1: a OK STORE completed
      C2: b NOOP
      S2: * FLAGS (${all})
      S2: * OK [PERMANENTFLAGS (${all})] No more keywords fit
      S2: * 1 FETCH (FLAGS (${names}))
      S2: b OK NOOP completed
      C1: c STORE 1 +FLAGS (one)
      S1: c NO [LIMIT] Too many keywords in this mailbox`;
  });

  it('more keywords than a mailbox holds are refused, and nothing is changed', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    const many = Array.from({ length: 60 }, (_, i) => `k${i}`).join(' ');
    await talk`
      C: a STORE 1 +FLAGS.SILENT (${many})
      S: a NO [LIMIT] Too many keywords in this mailbox
      C: b FETCH 1 FLAGS
      S: * 1 FETCH (FLAGS ())
      S: b OK FETCH completed`;
  });
});
