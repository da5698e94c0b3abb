import {
  uidRanges,
  type AccountId,
  type MailboxId,
  type MailStore,
  type Query,
} from '@mail-server-kit/core';
import { createMemoryStore } from '@mail-server-kit/storage';
import { describe, expect, it } from 'vitest';
import { factsOf } from './facts.ts';
import { foldText } from './fold.ts';
import { searchByReading, sentDay } from './search.ts';
import { searchText } from './search-text.ts';

const crlf = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'));

const messages = [
  'Date: Mon, 1 Jan 2024 23:30:00 -0500\nSubject: =?utf-8?Q?Caf=C3=A9?= time\nFrom: Ann <ann@a.example>\nMessage-ID: <1@x>\n\nplain words',
  'Date: Tue, 2 Jan 2024 00:30:00 +0500\nSubject: two\nX-Empty:\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>Gr=FC=DFe <b>aus</b> K=F6ln</p><style>hidden</style>',
  'Subject: three\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Description: holiday\n\nfirst\n--x\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nc2Vjb25k\n--x\nContent-Type: message/rfc822\n\nSubject: inner\n\nthird\n--x\nContent-Type: image/png\n\nfourth\n--x--\n',
].map(crlf);

async function filled(): Promise<{ store: MailStore; inbox: MailboxId }> {
  const store = createMemoryStore();
  const account = 'ann' as AccountId;
  await store.commit([{ op: 'createAccount', account }]);
  const [info] = await store.mailboxes(account);
  const inbox = info?.id as MailboxId;
  for (const octets of messages) {
    await store.commit([
      {
        op: 'append',
        mailbox: inbox,
        content: [octets],
        facts: await factsOf([octets]),
        flags: [],
        internalDate: 0,
      },
    ]);
  }
  return { store, inbox };
}

describe('searchByReading', () => {
  const day = (text: string) => Date.parse(`${text}T00:00:00Z`);

  it.each<[string, Query, number[]]>([
    ['BODY finds decoded text in any letter case', { text: 'PLAIN', in: 'body' }, [1]],
    ['BODY reads HTML as text', { text: 'grüße aus köln', in: 'body' }, [2]],
    ['BODY does not look at styles', { text: 'hidden', in: 'body' }, []],
    [
      'BODY looks into every text part, and into nested messages',
      { text: 'second', in: 'body' },
      [3],
    ],
    ['BODY looks into nested messages', { text: 'third', in: 'body' }, [3]],
    ['BODY does not look at other parts', { text: 'fourth', in: 'body' }, []],
    ['BODY does not look at header fields', { text: 'café', in: 'body' }, []],
    ['BODY does not match from one part into the next', { text: 'firstsecond', in: 'body' }, []],
    ['TEXT looks at header fields, decoded', { text: 'CAFE\u0301 time', in: 'text' }, [1]],
    ['TEXT looks at names of fields', { text: 'subject: two', in: 'text' }, [2]],
    ['TEXT looks at MIME headers', { text: 'holiday', in: 'text' }, [3]],
    ['TEXT looks at headers of nested messages', { text: 'inner', in: 'text' }, [3]],
    ['TEXT does not match from one field into the next', { text: 'time from', in: 'text' }, []],
    ['the empty string is in every message', { text: '', in: 'body' }, [1, 2, 3]],
    [
      'HEADER finds a field by name in any letter case',
      { header: 'SUBJECT', contains: 'Café' },
      [1],
    ],
    ['HEADER does not look at nested messages', { header: 'subject', contains: 'inner' }, []],
    [
      'HEADER with an empty string asks whether the field is there',
      { header: 'x-empty', contains: '' },
      [2],
    ],
    ['SENTSINCE disregards time and zone', { sentSince: day('2024-01-02') }, [2]],
    ['SENTBEFORE passes over messages without Date', { sentBefore: day('2024-01-02') }, [1]],
    ['NOT turns it round', { not: { text: 'words', in: 'body' } }, [2, 3]],
    [
      'OR and AND',
      {
        any: [
          {
            all: [
              { text: 'plain', in: 'body' },
              { header: 'From', contains: 'ann' },
            ],
          },
          { text: 'first', in: 'text' },
        ],
      },
      [1, 3],
    ],
    ['nothing of nothing', { any: [] }, []],
    ['all of nothing', { all: [] }, [1, 2, 3]],
  ])('%s', async (_, query, uids) => {
    const { store, inbox } = await filled();
    const snapshot = await store.open(inbox);
    expect(await searchByReading(store, snapshot, query)).toEqual(uidRanges(uids));
  });

  it('looks at no others than it is told to', async () => {
    const { store, inbox } = await filled();
    const snapshot = await store.open(inbox);
    expect(await searchByReading(store, snapshot, { all: [] }, uidRanges([2, 9]))).toEqual([
      [2, 2],
    ]);
  });

  it('reads a header only where that is enough, and nothing where facts are', async () => {
    const { store, inbox } = await filled();
    const snapshot = await store.open(inbox);
    const reads: (number | undefined)[] = [];
    const counting = new Proxy(store, {
      get: (target, key) => {
        if (key === 'read') {
          return (...args: Parameters<MailStore['read']>) => {
            reads.push(args[2]);
            return target.read(...args);
          };
        }
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    await searchByReading(counting, snapshot, { sentBefore: 0 });
    expect(reads).toEqual([]);
    await searchByReading(counting, snapshot, { header: 'subject', contains: 'two' });
    expect(reads).toHaveLength(3);
    expect(reads.every((end) => end !== undefined)).toBe(true);
  });

  it('computes facts anew if they are of another version', async () => {
    const store = createMemoryStore();
    const account = 'ann' as AccountId;
    await store.commit([{ op: 'createAccount', account }]);
    const [info] = await store.mailboxes(account);
    const mailbox = info?.id as MailboxId;
    const octets = messages[0] as Buffer;
    const facts = {
      ...(await factsOf([octets])),
      version: 0,
      envelope: Buffer.from('?'),
      structure: Buffer.from('?'),
    };
    await store.commit([
      { op: 'append', mailbox, content: [octets], facts, flags: [], internalDate: 0 },
    ]);
    const query: Query = {
      all: [{ header: 'subject', contains: 'time' }, { sentSince: day('2024-01-01') }],
    };
    expect(await searchByReading(store, await store.open(mailbox), query)).toEqual([[1, 1]]);
  });
});

describe('foldText', () => {
  it.each([
    ['abc', 'ABC'],
    ['é', 'E\u0301'],
    ['e\u0301', 'E\u0301'],
    ['ß', 'ß'],
    ['ǆ', 'Dz\u030c'],
    ['ς', 'Σ'],
    ['ﬁ', 'fi'],
    ['①', '1'],
    ['ა', 'ა'],
  ])('%j is %j (RFC 5051)', (text, folded) => expect(foldText(text)).toBe(folded));
});

describe('searchText', () => {
  it('keeps no more text than it may', async () => {
    const { body } = await searchText([crlf(`\n${'a'.repeat(100)}`)], { maxTextOctets: 10 });
    expect(body).toEqual(['A'.repeat(10)]);
  });

  it('reads a MiB of HTML as a browser would, all parts together, and what follows as it is written', async () => {
    const html = (text: string) => `--x\nContent-Type: text/html\n\n${text}\n`;
    const { body } = await searchText([
      crlf('Content-Type: multipart/mixed; boundary=x\n\n'),
      ...['<p>one</p>', ' '.repeat(1024 * 1024), '<p>two</p>'].map((text) => crlf(html(text))),
    ]);
    expect(body.map((text) => text.trim())).toEqual(['ONE', '', '<P>TWO</P>']);
  });
});

it('sentDay is the day the sender wrote', () => {
  expect(sentDay(Buffer.from('("Mon, 1 Jan 2024 23:30:00 -0500" NIL'))).toBe(Date.UTC(2024, 0, 1));
  expect(sentDay(Buffer.from('(NIL NIL'))).toBeNull();
});

it('sentDay reads a Date whose comment makes it a literal, or has quotes', async () => {
  const day = Date.UTC(2026, 10, 24);
  for (const zone of ['(Mitteleuropäische Zeit)', '("CET")', '(a\\)b)', '']) {
    const header = Buffer.from(`Date: Tue, 24 Nov 2026 10:00:00 +0100 ${zone}\r\n\r\n`, 'latin1');
    expect(sentDay((await factsOf([header])).envelope), zone).toBe(day);
  }
});
