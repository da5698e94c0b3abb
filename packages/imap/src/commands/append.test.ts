import assert from 'node:assert/strict';
import type { MailStore } from '@mail-server-kit/core';
import { turn } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

describe('APPEND', () => {
  it('waits with a synchronizing literal, and keeps flags and date (curl, offlineimap)', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a APPEND INBOX (\Seen work) "17-Jul-1996 02:44:25 -0700" {12}
      S: + OK
      C: a: b${'\r\n\r\n'}text
      S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft work)
      S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft work \*)] Flags and new keywords are kept
      S: * 1 EXISTS
      S: * 1 RECENT
      S: a OK [APPENDUID 1 1] APPEND completed
      C: b FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])
      S: * 1 FETCH (FLAGS (\Seen work \Recent) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {12}
      S: a: b
      S:
      S: text)
      S: b OK FETCH completed`;
  });

  it('the next command may come in the same packet', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk.send('', 'a APPEND INBOX {12+}\r\na: b\r\n\r\ntext\r\nb NOOP\r\nc NOOP\r\n');
    await talk`
      S: * 1 EXISTS
      S: * 1 RECENT
      S: a OK [APPENDUID 1 1] APPEND completed
      S: b OK NOOP completed
      S: c OK NOOP completed`;
  });

  it('makes CRLF of bare LF, and keeps a lone CR', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk.send('', 'a APPEND INBOX {14+}\r\na: b\n\none\rtwo\n\r\n');
    await talk`
      S: * 1 EXISTS
      S: * 1 RECENT
      S: a OK [APPENDUID 1 1] APPEND completed
      C: b FETCH 1 BODY.PEEK[]
      S: * 1 FETCH (BODY[] {17}
      S: ${'a: b\r\n\r\none\rtwo'}
      S: )
      S: b OK FETCH completed`;
  });

  it('takes NUL in a literal8 only (RFC 3516 section 4.4)', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk.send('', 'a APPEND INBOX {5+}\r\na\0b\r\n\r\nb APPEND INBOX ~{5+}\r\na\0b\n\n\r\n');
    await talk`
      S: a NO A message with NUL needs a literal8 (RFC 3516 section 4.4)
      S: * 1 EXISTS
      S: * 1 RECENT
      S: b OK [APPENDUID 1 1] APPEND completed
      C: c FETCH 1 RFC822.SIZE
      S: * 1 FETCH (RFC822.SIZE 5)
      S: c OK FETCH completed`;
  });

  it('says no before the message comes if it cannot be stored', async () => {
    const talk = await clients(1, { INBOX: [] }, { limits: { appendOctets: 1000 } });
    const { store, account } = talk.setting;
    await talk`
      C: a APPEND Nowhere {10}
      S: a NO [TRYCREATE] There is no such mailbox
      C: b APPEND INBOX {1001}
      S: b NO [TOOBIG] The message is too large
      C: c APPEND INBOX (Bad"flag) {10}
      S: c BAD Expected ")", found """ at octet 20
      C: d APPEND INBOX {0}
      S: d NO The message is empty`;
    await store.commit([{ op: 'setAccount', account, limits: { octets: 100 } }]);
    await talk`
      C: e APPEND INBOX {101}
      S: e NO [OVERQUOTA] There is not enough room for the message
      C: f NOOP
      S: f OK NOOP completed`;
  });

  it('what comes unasked and is refused is read and thrown away', async () => {
    const talk = await clients(1, { INBOX: [] }, { limits: { appendOctets: 1000 } });
    await talk.send('', `a APPEND Nowhere {5+}\r\nabcde\r\nb APPEND INBOX {2000+}\r\n`);
    await talk.send(
      '',
      `${'x'.repeat(2000)}\r\nc APPEND INBOX (Bad {3+}\r\nabc {2+}\r\nde\r\nd NOOP\r\n`,
    );
    await talk`
      S: a NO [TRYCREATE] There is no such mailbox
      S: b NO [TOOBIG] The message is too large
      S: c BAD Expected a flag, found "{" at octet 21
      S: d OK NOOP completed`;
  });

  it('the mailbox may be a literal, too', async () => {
    const talk = await clients(1, { INBOX: [], Entwürfe: [] });
    await talk`
      C: a APPEND {12}
      S: + OK
      C: Entw&APw-rfe {4}
      S: + OK
      C: ${'\r\nab'}
      S: a OK [APPENDUID 2 1] APPEND completed`;
  });

  it('nothing may follow the message, and then it is not kept', async () => {
    const talk = await clients(1, { INBOX: [plain] });
    await talk.send(
      '',
      'a APPEND INBOX {3+}\r\nabc foo\r\nb APPEND INBOX {3+}\r\nabc {3+}\r\nabc\r\n',
    );
    await talk`
      S: a BAD Expected the end of the command, found a space at octet 1
      S: b BAD One message at a time
      C: c STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 1)
      S: c OK STATUS completed`;
  });

  it('UTF8 data needs UTF8=ACCEPT (RFC 6855 section 4)', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a APPEND INBOX UTF8 (~{3}
      S: a BAD UTF8 needs ENABLE UTF8=ACCEPT first
      C: b ENABLE UTF8=ACCEPT X-FOO
      S: * ENABLED UTF8=ACCEPT
      S: b OK ENABLE completed`;
    await talk.send('', 'c APPEND INBOX UTF8 (~{7+}\r\nä: b\r\n)\r\n');
    await talk`
      S: * 1 EXISTS
      S: * 1 RECENT
      S: c OK [APPENDUID 1 1] APPEND completed`;
  });

  it('several sent in a row wait for the disk together, and are answered in their order', async () => {
    const disk = slowDisk();
    const talk = await clients(1, { INBOX: [] }, { store: disk.under });
    disk.hold();
    const message = '{12+}\r\na: b\r\n\r\ntext\r\n';
    await talk.send(
      '',
      `a APPEND INBOX ${message}b APPEND INBOX ${message}c APPEND none ${message}d STATUS INBOX (MESSAGES)\r\n`,
    );
    await turn();
    // The third is refused at once, but not told before the others are: nor does what depends on them begin.
    assert.equal(disk.waiting, 2);
    disk.release();
    await talk`
      S: * 2 EXISTS
      S: * 2 RECENT
      S: a OK [APPENDUID 1 1] APPEND completed
      S: b OK [APPENDUID 1 2] APPEND completed
      S: c NO [TRYCREATE] There is no such mailbox
      S: * STATUS INBOX (MESSAGES 2)
      S: d OK STATUS completed`;
  });

  it('one that the store refuses is told in its place, and leaves nothing behind', async () => {
    const disk = slowDisk();
    const talk = await clients(1, { INBOX: [] }, { store: disk.under });
    const { store, account } = talk.setting;
    await store.commit([{ op: 'setAccount', account, limits: { messages: 1 } }]);
    disk.hold();
    const message = '{12+}\r\na: b\r\n\r\ntext\r\n';
    await talk.send(
      '',
      `a APPEND INBOX ${message}b APPEND INBOX ${message}c APPEND none ${message}d NOOP\r\n`,
    );
    await turn();
    disk.release();
    await talk`
      S: * 1 EXISTS
      S: * 1 RECENT
      S: a OK [APPENDUID 1 1] APPEND completed
      S: b NO [OVERQUOTA] Quota exceeded
      S: c NO [TRYCREATE] There is no such mailbox
      S: d OK NOOP completed`;
  });
});

/** Commits do not become durable while they are held. */
function slowDisk() {
  let open = Promise.resolve();
  let release = () => {};
  let waiting = 0;
  return {
    under: (store: MailStore): MailStore =>
      new Proxy(store, {
        get(target, key) {
          if (key === 'commit') {
            return async (...args: Parameters<MailStore['commit']>) => {
              waiting++;
              await open;
              waiting--;
              return target.commit(...args);
            };
          }
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
    hold: () => void (open = new Promise((resolve) => (release = resolve))),
    release: () => release(),
    get waiting() {
      return waiting;
    },
  };
}
