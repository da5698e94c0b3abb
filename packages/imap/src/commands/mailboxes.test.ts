import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

describe('CREATE, DELETE, RENAME', () => {
  it('CREATE makes what is missing above, and takes a delimiter at the end', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a CREATE a/b/c/
      S: a OK CREATE completed
      C: b LIST "" *
      S: * LIST (\HasNoChildren) "/" INBOX
      S: * LIST (\HasChildren) "/" a
      S: * LIST (\HasChildren) "/" a/b
      S: * LIST (\HasNoChildren) "/" a/b/c
      S: b OK LIST completed
      C: c CREATE a/b
      S: c NO [ALREADYEXISTS] Mailbox already exists
      C: d CREATE inbox
      S: d NO [ALREADYEXISTS] INBOX is always there
      C: e CREATE a//b
      S: e NO [CANNOT] Not a name for a mailbox`;
  });

  it('CREATE with USE gives a special use, of which there is one each (RFC 6154 section 3)', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a CREATE Entw&APw-rfe (USE (\drafts))
      S: a OK CREATE completed
      C: b LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)
      S: * LIST (\HasNoChildren \Drafts) "/" Entw&APw-rfe
      S: b OK LIST completed
      C: c CREATE Everything (USE (\All))
      S: c NO [USEATTR] A mailbox cannot have this use
      C: d CREATE Foo (FOO)
      S: d BAD Unknown CREATE parameter`;
  });

  it('DELETE leaves mailboxes below and the subscription', async () => {
    const talk = await clients(1, { INBOX: [], a: [], 'a/b': [] });
    await talk`
      C: a SUBSCRIBE a
      S: a OK SUBSCRIBE completed
      C: b DELETE a
      S: b OK DELETE completed
      C: c LIST "" *
      S: * LIST (\HasNoChildren) "/" INBOX
      S: * LIST (\Noselect \NonExistent \HasChildren) "/" a
      S: * LIST (\HasNoChildren) "/" a/b
      S: c OK LIST completed
      C: d LSUB "" a
      S: * LSUB (\Noselect) "/" a
      S: d OK LSUB completed
      C: e DELETE a
      S: e NO [NONEXISTENT] There is no such mailbox
      C: f DELETE INBOX
      S: f NO [CANNOT] INBOX cannot be deleted`;
  });

  it('DELETE of the selected mailbox closes it', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk.send('', 'a CREATE x\r\n');
    await talk`
      S: a OK CREATE completed
      C: b SELECT x
      S: * OK [CLOSED] Previous mailbox is now closed
      S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
      S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags and new keywords are kept
      S: * 0 EXISTS
      S: * 0 RECENT
      S: * OK [UIDVALIDITY 2] UIDs valid
      S: * OK [UIDNEXT 1] Predicted next UID
      S: * OK [HIGHESTMODSEQ 2] Highest modification sequence
      S: b OK [READ-WRITE] SELECT completed
      C: c DELETE x
      S: * OK [CLOSED] The selected mailbox was deleted
      S: c OK DELETE completed
      C: d CHECK
      S: d BAD CHECK is for the selected state (RFC 9051 section 3)`;
  });

  it('RENAME takes mailboxes below along (unlike others, FIELD notes)', async () => {
    const talk = await clients(1, { INBOX: [], a: [plain], 'a/b': [], ab: [] });
    await talk`
      C: a RENAME a x/y
      S: a OK RENAME completed
      C: b LIST "" "*"
      S: * LIST (\HasNoChildren) "/" INBOX
      S: * LIST (\HasNoChildren) "/" ab
      S: * LIST (\HasChildren) "/" x
      S: * LIST (\HasChildren) "/" x/y
      S: * LIST (\HasNoChildren) "/" x/y/b
      S: b OK LIST completed
      C: c RENAME nope z
      S: c NO [NONEXISTENT] There is no such mailbox
      C: d RENAME ab x
      S: d NO [ALREADYEXISTS] Mailbox already exists
      C: e RENAME ab ab/
      S: e NO [ALREADYEXISTS] Mailbox already exists
      C: f RENAME INBOX inbox
      S: f NO [ALREADYEXISTS] Mailbox already exists`;
  });

  it('RENAME of a level without a mailbox renames what is below', async () => {
    const talk = await clients(1, { INBOX: [], 'a/b': [], 'a/b/c': [], 'a/d': [] });
    await talk`
      C: a RENAME a z
      S: a OK RENAME completed
      C: b LIST "" "*"
      S: * LIST (\HasNoChildren) "/" INBOX
      S: * LIST (\Noselect \NonExistent \HasChildren) "/" z
      S: * LIST (\HasChildren) "/" z/b
      S: * LIST (\HasNoChildren) "/" z/b/c
      S: * LIST (\HasNoChildren) "/" z/d
      S: b OK LIST completed`;
  });

  it('RENAME of INBOX moves its messages (RFC 9051 section 6.3.6)', async () => {
    const talk = await clients(1, { INBOX: [plain, plain] });
    await talk`
      C: a RENAME INBOX Old
      S: * 2 EXPUNGE
      S: * 1 EXPUNGE
      S: a OK RENAME completed
      C: b STATUS Old (MESSAGES)
      S: * STATUS Old (MESSAGES 2)
      S: b OK STATUS completed`;
  });
});

describe('COPY, EXPUNGE', () => {
  it('COPY names the new uids, or says where to create', async () => {
    const talk = await clients(1, { INBOX: [plain, { octets: plain, flags: ['\\Seen'] }], a: [] });
    await talk`
      C: a COPY 1:2 a
      S: a OK [COPYUID 2 1:2 1:2] COPY completed
      C: b UID COPY 2 a
      S: b OK [COPYUID 2 2 3] COPY completed
      C: c UID COPY 9 a
      S: c OK No messages copied
      C: d COPY 1 nope
      S: d NO [TRYCREATE] There is no such mailbox
      C: e STATUS a (MESSAGES UNSEEN)
      S: * STATUS a (MESSAGES 3 UNSEEN 1)
      S: e OK STATUS completed
      C: f MOVE 1 nope
      S: f NO [TRYCREATE] There is no such mailbox
      C: g UID MOVE 9 a
      S: g OK UID MOVE completed`;
  });

  it('COPY into the same mailbox shows the copy', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk`
      C: a COPY 1 INBOX
      S: * 2 EXISTS
      S: * 1 RECENT
      S: a OK [COPYUID 1 1 2] COPY completed`;
  });

  it('UID EXPUNGE removes only what is named and \\Deleted', async () => {
    const talk = await clients(1, { INBOX: [plain, plain, plain] });
    await talk`
      C: a STORE 1:2 +FLAGS.SILENT \Deleted
      S: a OK STORE completed
      C: b UID EXPUNGE 2:3
      S: * 2 EXPUNGE
      S: b OK UID EXPUNGE completed
      C: c EXPUNGE
      S: * 1 EXPUNGE
      S: c OK EXPUNGE completed`;
  });

  it('a pipeline runs in order: what STORE marks, EXPUNGE removes (RFC 9051 section 5.5)', async () => {
    const talk = await clients(1, { INBOX: [plain, plain] });
    await talk.send('', 'a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\nc UID SEARCH ALL\r\n');
    await talk`
      S: a OK STORE completed
      S: * 1 EXPUNGE
      S: b OK EXPUNGE completed
      S: * SEARCH 2
      S: c OK UID SEARCH completed`;
  });
});

describe('STATUS, NAMESPACE, CAPABILITY, ENABLE, ID', () => {
  it('STATUS tells without selecting', async () => {
    const talk = await clients(1, {
      INBOX: [],
      a: [plain, { octets: plain, flags: ['\\Seen', '\\Deleted'] }],
    });
    await talk`
      C: a STATUS a (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ RECENT)
      S: * OK [HIGHESTMODSEQ 1] Highest modification sequence
      S: * STATUS a (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 2 UNSEEN 1 DELETED 1 SIZE 342 HIGHESTMODSEQ 4 RECENT 0)
      S: a OK STATUS completed
      C: b STATUS nope (MESSAGES)
      S: b NO [NONEXISTENT] There is no such mailbox
      C: b2 STATUS a (MESSAGES UNSEEN messages)
      S: * STATUS a (MESSAGES 2 UNSEEN 1)
      S: b2 OK STATUS completed
      C: c STATUS a (FOO)
      S: c BAD Unknown STATUS item FOO
      C: d STATUS a ()
      S: d BAD Expected a STATUS item, found ")" at octet 13`;
  });

  it('the small ones', async () => {
    const talk = await clients(1, { INBOX: [] }, { serverId: { name: 'Post', vendor: 'Büro' } });
    await talk`
      C: a NAMESPACE
      S: * NAMESPACE (("" "/")) NIL NIL
      S: a OK NAMESPACE completed
      C: b ENABLE UTF8=ACCEPT QRESYNC CONDSTORE
      S: * OK [HIGHESTMODSEQ 1] Highest modification sequence
      S: * ENABLED UTF8=ACCEPT CONDSTORE
      S: b OK ENABLE completed
      C: c ENABLE CONDSTORE
      S: * ENABLED
      S: c OK ENABLE completed
      C: d ID ("name" "mutt" "version" NIL)
      S: * ID ("name" "Post" "vendor" {5}
      S: Büro)
      S: d OK ID completed
      C: e ID NIL
      S: * ID ("name" "Post" "vendor" {5}
      S: Büro)
      S: e OK ID completed
      C: f CHECK
      S: f OK CHECK completed
      C: g CAPABILITY
      S: * CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE CREATE-SPECIAL-USE BINARY CONDSTORE UTF8=ACCEPT
      S: g OK CAPABILITY completed
      C: h LOGOUT
      S: * BYE Logging out
      S: h OK LOGOUT completed`;
    await talk.closed();
  });
});
