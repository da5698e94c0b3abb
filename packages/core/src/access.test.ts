import assert from 'node:assert/strict';
import { createMemoryStore } from '@mail-server-kit/storage';
import { describe, it } from 'vitest';
import { createAccess } from './access.ts';
import { rightsOf } from './access/rights.ts';
import { isMailError } from './errors.ts';
import { asId, type AccountId, type EmailId, type MailboxId, type Uid } from './numbers.ts';
import { expungedMailboxOf, type Facts, type MailStore, type Write } from './store.ts';
import { sampleMessages } from './testing/messages.ts';
import { uidRanges } from './uidset.ts';

const owner = asId<AccountId>('owner');
const guest = asId<AccountId>('guest');
const all = 'lrswipkxtea';
const uid = (value: number) => value as Uid;
const uids = uidRanges;
const id = (index: number, results: readonly { readonly mailbox?: MailboxId }[]) =>
  results[index]!.mailbox!;

const facts: Facts = {
  version: 1,
  envelope: Buffer.from('()'),
  structure: Buffer.from('()'),
  ascii: true,
  preview: '',
  sort: { sentDate: 0, subject: '', from: '', to: '', cc: '' },
  thread: { messageId: '', references: [] },
};

function message(
  mailbox: MailboxId,
  flags: readonly string[] = [],
  content: Extract<Write, { op: 'append' }>['content'] = [sampleMessages.plain],
): Write {
  return { op: 'append', mailbox, content, facts, flags, internalDate: 0 };
}

/** `Shared`, with one message that has all sorts of flags, and what the guest may do there; `Private` of the owner; `Own` of the guest. */
async function world(rights: string | undefined) {
  const store = createMemoryStore();
  const { results } = await store.commit([
    { op: 'createAccount', account: owner },
    { op: 'createAccount', account: guest },
    { op: 'createMailbox', account: owner, name: 'Shared' },
    { op: 'createMailbox', account: owner, name: 'Private' },
    { op: 'createMailbox', account: guest, name: 'Own' },
  ]);
  const [shared, secret, own] = [id(2, results), id(3, results), id(4, results)];
  await store.commit([
    message(shared, ['\\Seen', '\\Deleted', '\\Flagged', 'keyword']),
    message(secret),
    message(own, ['\\Seen', '\\Deleted', '\\Flagged', 'keyword']),
    ...(rights === undefined
      ? []
      : [{ op: 'setMailbox', mailbox: shared, acl: [[guest, rights]] } as const]),
  ]);
  const access = createAccess({ store, mailboxId: () => asId<MailboxId>('made') });
  return {
    store,
    access,
    shared,
    secret,
    own,
    theirs: access.storeFor(guest),
    mine: access.storeFor(owner),
  };
}

type World = Awaited<ReturnType<typeof world>>;

async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'ok';
  } catch (error) {
    if (isMailError(error)) return error.code;
    throw error;
  }
}

async function drained<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

async function flagsIn(store: MailStore, mailbox: MailboxId, which: number): Promise<string[]> {
  const { blocks, flagNames } = await store.open(mailbox);
  const block = blocks.find(({ uid }) => uid.includes(which))!;
  const bits = block.flagsLow[block.uid.indexOf(which)]!;
  return flagNames.filter((_, bit) => (bits >>> bit) & 1).sort();
}

/** What is done, and the rights that it takes (RFC 4314 section 4). */
const operations: [
  name: string,
  needs: string,
  attempt: (at: World, as: MailStore) => Promise<unknown>,
][] = [
  ['open', 'r', ({ shared }, as) => as.open(shared)],
  [
    'fetch',
    'r',
    async ({ store, shared }, as) =>
      drained(as.fetch(await store.open(shared), uids([1]), ['envelope'])),
  ],
  [
    'read',
    'r',
    async ({ store, shared }, as) =>
      drained(as.read({ snapshot: await store.open(shared), uid: uid(1) })),
  ],
  [
    'vanished',
    'r',
    async ({ store, shared }, as) => {
      const snapshot = await store.open(shared);
      return as.vanished(snapshot, snapshot.vanishedFrom);
    },
  ],
  ['append', 'i', ({ shared }, as) => as.commit([message(shared)])],
  [
    'append by reference',
    'r',
    ({ shared, own }, as) => as.commit([message(own, [], [{ mailbox: shared, uid: uid(1) }])]),
  ],
  [
    'store \\Seen',
    'rs',
    ({ shared }, as) =>
      as.commit([{ op: 'store', mailbox: shared, uids: uids([1]), remove: ['\\Seen'] }]),
  ],
  [
    'store \\Deleted',
    'rt',
    ({ shared }, as) =>
      as.commit([{ op: 'store', mailbox: shared, uids: uids([1]), add: ['\\deleted'] }]),
  ],
  [
    'store a keyword',
    'rw',
    ({ shared }, as) =>
      as.commit([{ op: 'store', mailbox: shared, uids: uids([1]), set: ['$Junk'] }]),
  ],
  [
    'copy from',
    'r',
    ({ shared, own }, as) => as.commit([{ op: 'copy', mailbox: shared, uids: uids([1]), to: own }]),
  ],
  [
    'copy to',
    'i',
    ({ shared, own }, as) => as.commit([{ op: 'copy', mailbox: own, uids: uids([1]), to: shared }]),
  ],
  [
    'move from',
    'rte',
    ({ shared, own }, as) => as.commit([{ op: 'move', mailbox: shared, uids: uids([1]), to: own }]),
  ],
  [
    'move to',
    'i',
    ({ shared, own }, as) => as.commit([{ op: 'move', mailbox: own, uids: uids([1]), to: shared }]),
  ],
  [
    'expunge',
    'e',
    ({ shared }, as) => as.commit([{ op: 'expunge', mailbox: shared, uids: uids([1]) }]),
  ],
  [
    'replace',
    'rtei',
    ({ shared }, as) =>
      as.commit([
        {
          op: 'replace',
          mailbox: shared,
          uid: uid(1),
          to: shared,
          content: [sampleMessages.plain],
          facts,
          flags: [],
          internalDate: 0,
        },
      ]),
  ],
  [
    'create a child',
    'k',
    (_, as) => as.commit([{ op: 'createMailbox', account: owner, name: 'Shared/Child' }]),
  ],
  [
    'rename',
    'x',
    ({ shared }, as) => as.commit([{ op: 'renameMailbox', mailbox: shared, name: 'Renamed' }]),
  ],
  ['delete', 'x', ({ shared }, as) => as.commit([{ op: 'deleteMailbox', mailbox: shared }])],
  [
    'set the ACL',
    'a',
    ({ shared }, as) => as.commit([{ op: 'setMailbox', mailbox: shared, acl: [[guest, 'l']] }]),
  ],
  [
    'expect',
    'r',
    async ({ store, shared }, as) =>
      as.commit([
        { op: 'expectMailbox', mailbox: shared, modSeq: (await store.open(shared)).highestModSeq },
      ]),
  ],
];

/** For the owner only, whatever others may do. */
const reserved: typeof operations = [
  [
    'subscribe',
    '',
    ({ shared }, as) => as.commit([{ op: 'setMailbox', mailbox: shared, subscribed: true }]),
  ],
  [
    'give a special use',
    '',
    ({ shared }, as) => as.commit([{ op: 'setMailbox', mailbox: shared, specialUse: '\\Archive' }]),
  ],
  [
    'set private metadata',
    '',
    ({ shared }, as) =>
      as.commit([
        { op: 'setMailbox', mailbox: shared, metadata: [['/private/comment', Buffer.from('x')]] },
      ]),
  ],
  [
    'create at the top',
    '',
    (_, as) => as.commit([{ op: 'createMailbox', account: owner, name: 'Top' }]),
  ],
  [
    'rename out of the parent',
    '',
    ({ shared }, as) =>
      as.commit([{ op: 'renameMailbox', mailbox: shared, name: 'INBOX/Elsewhere' }]),
  ],
  ['names', '', (_, as) => as.subscribedNames(owner)],
  [
    'subscribe a name',
    '',
    (_, as) => as.commit([{ op: 'subscribeName', account: owner, name: 'x', subscribed: true }]),
  ],
  ['usage', '', (_, as) => as.usage(owner)],
];

/** For services, which have the store itself. */
const refused: typeof operations = [
  ['a record', '', (_, as) => as.record('space', 'key')],
  ['records', '', (_, as) => drained(as.records('space'))],
  ['the octets of a record', '', (_, as) => drained(as.read({ space: 'space', key: 'key' }))],
  ['all changes', '', (_, as) => drained(as.changes('start'))],
  ['changes of records', '', (_, as) => drained(as.changes('start', { space: 'space' }))],
  [
    'putRecord',
    '',
    (_, as) => as.commit([{ op: 'putRecord', space: 's', key: 'k', value: Buffer.from('') }]),
  ],
  ['deleteRecord', '', (_, as) => as.commit([{ op: 'deleteRecord', space: 's', key: 'k' }])],
  [
    'expectRecord',
    '',
    (_, as) => as.commit([{ op: 'expectRecord', space: 's', key: 'k', version: 0 }]),
  ],
  [
    'createAccount',
    '',
    (_, as) => as.commit([{ op: 'createAccount', account: asId<AccountId>('new') }]),
  ],
  ['destroyAccount', '', (_, as) => as.commit([{ op: 'destroyAccount', account: owner }])],
  ['setAccount', '', (_, as) => as.commit([{ op: 'setAccount', account: guest, limits: {} }])],
  [
    'limit a mailbox',
    '',
    ({ shared }, as) => as.commit([{ op: 'setMailbox', mailbox: shared, limits: { messages: 1 } }]),
  ],
];

describe('the owner', () => {
  it.each([...operations, ...reserved])('may: %s', async (name, _, attempt) => {
    const at = await world(undefined);
    // The guest's mailbox lets in the owner, so that each of these can be done by either.
    await at.store.commit([{ op: 'setMailbox', mailbox: at.own, acl: [[owner, all]] }]);
    assert.equal(await outcome(attempt(at, at.mine)), 'ok', name);
  });

  it('is asked nothing about mailboxes that are known to be theirs', async () => {
    const { store } = await world(undefined);
    let lookups = 0;
    const counting = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (key === 'mailboxes') lookups++;
          return value.apply(target, args) as unknown;
        };
      },
    });
    const mine = createAccess({ store: counting }).storeFor(owner);
    const { results } = await mine.commit([{ op: 'createMailbox', account: owner, name: 'New' }]);
    const made = id(0, results);
    await mine
      .commit([message(made), message(made, [], [{ mailbox: made, uid: uid(1) }])])
      .catch(() => {});
    await mine.commit([{ op: 'store', mailbox: made, uids: uids([1]), add: ['\\Seen'] }]);
    const snapshot = await mine.open(made);
    await drained(mine.fetch(snapshot, uids([1]), ['envelope']));
    assert.equal(lookups, 0);
  });
});

describe('expunged messages', () => {
  it('are brought back by the owner of their mailbox, and by nobody else', async () => {
    const at = await world(all);
    const [theirs, mine] = [at.access.storeFor(guest), at.access.storeFor(owner)];
    await theirs.commit([{ op: 'expunge', mailbox: at.shared, uids: uids([1]) }]);
    const expunged = expungedMailboxOf(at.shared);
    const write = { op: 'undelete', mailbox: expunged, uids: uids([1]) } as const;
    await assert.rejects(theirs.commit([write]), (error) => isMailError(error, 'NONEXISTENT'));
    await assert.rejects(theirs.open(expunged), (error) => isMailError(error, 'NONEXISTENT'));
    await assert.rejects(theirs.expunged!(owner), (error) => isMailError(error, 'NOPERM'));
    assert.equal((await mine.open(expunged)).messages, 1);
    assert.deepEqual(
      (await mine.expunged!(owner)).map((info) => info.id),
      [expunged],
    );
    await mine.commit([write]);
    assert.equal((await mine.open(at.shared)).messages, 1);
  });

  it('go where the owner may put messages with all their flags', async () => {
    for (const [rights, allowed] of [
      ['lrswit', true],
      ['lri', false],
      ['lrswt', false],
    ] as const) {
      const at = await world(rights);
      const store = at.access.storeFor(guest);
      await store.commit([{ op: 'expunge', mailbox: at.own, uids: uids([1]) }]);
      const mailbox = expungedMailboxOf(at.own);
      const done = store.commit([{ op: 'undelete', mailbox, uids: uids([1]), to: at.shared }]);
      if (allowed) await done;
      else await assert.rejects(done, (error) => isMailError(error, 'NOPERM'));
    }
  });
});

describe.each([...operations])('%s', (name, needs, attempt) => {
  it(`is NONEXISTENT for whom nothing was granted, and for whom all but lookup was`, async () => {
    for (const rights of [undefined, 'rswipkxtea']) {
      const at = await world(rights);
      const expected = name === 'create a child' ? 'NOPERM' : 'NONEXISTENT';
      assert.equal(await outcome(attempt(at, at.theirs)), expected);
    }
  });

  it(`takes l and ${needs}, nothing more, and is NOPERM with everything else`, async () => {
    const enough = await world(`l${needs}`);
    assert.equal(await outcome(attempt(enough, enough.theirs)), 'ok');
    for (const missing of needs) {
      const at = await world(all.replace(missing, ''));
      assert.equal(await outcome(attempt(at, at.theirs)), 'NOPERM', `without ${missing}`);
    }
  });
});

describe('nobody else, whatever was granted,', () => {
  it.each(reserved)('may: %s', async (_, __, attempt) => {
    const at = await world(all);
    assert.equal(await outcome(attempt(at, at.theirs)), 'NOPERM');
  });
});

describe('nobody at all', () => {
  it.each(refused)('may: %s', async (_, __, attempt) => {
    const at = await world(all);
    assert.equal(await outcome(attempt(at, at.theirs)), 'NOPERM');
    assert.equal(await outcome(attempt(at, at.mine)), 'NOPERM');
  });
});

describe('flags without their right', () => {
  it.each([
    ['lrwi', ['\\Flagged', 'keyword']],
    ['lrsti', ['\\Deleted', '\\Seen']],
    ['li', []],
    ['liwst', ['\\Deleted', '\\Flagged', '\\Seen', 'keyword']],
  ])('with %s are lost when appended, copied and moved', async (rights, expected) => {
    const at = await world(rights);
    const { theirs, store, shared, own } = at;
    const appended = await theirs.commit([
      message(shared, ['\\Seen', '\\Deleted', '\\Flagged', 'keyword']),
    ]);
    assert.deepEqual(await flagsIn(store, shared, appended.results[0]!.uid!), expected);
    const copied = await theirs.commit([
      { op: 'copy', mailbox: own, uids: uids([1, 5]), to: shared },
    ]);
    assert.deepEqual(copied.results[0]!.copies, { from: uids([1]), to: uids([3]) });
    assert.deepEqual(await flagsIn(store, shared, 3), expected);
    const moved = await theirs.commit([
      message(own),
      { op: 'move', mailbox: own, uids: uids([1]), to: shared },
    ]);
    assert.equal(moved.results.length, 2);
    assert.deepEqual(moved.results[1]!.copies, { from: uids([1]), to: uids([4]) });
    assert.deepEqual(await flagsIn(store, shared, 4), expected);
    assert.deepEqual(Array.from((await store.open(own)).blocks[0]!.uid), [2]);
    const octets = await drained(store.read({ snapshot: await store.open(shared), uid: uid(4) }));
    assert.deepEqual(Buffer.concat(octets), Buffer.from(sampleMessages.plain));
  });

  it('stay as they are in a STORE that may change others', async () => {
    const { theirs, store, shared } = await world('lrs');
    await theirs.commit([
      { op: 'store', mailbox: shared, uids: uids([1]), remove: ['\\Seen', 'keyword'] },
    ]);
    assert.deepEqual(await flagsIn(store, shared, 1), ['\\Deleted', '\\Flagged', 'keyword']);
    await theirs.commit([
      { op: 'store', mailbox: shared, uids: uids([1]), set: ['\\Seen', '\\Answered'] },
    ]);
    assert.deepEqual(await flagsIn(store, shared, 1), [
      '\\Deleted',
      '\\Flagged',
      '\\Seen',
      'keyword',
    ]);
    await theirs.commit([{ op: 'store', mailbox: shared, uids: uids([1]), set: [] }]);
    assert.deepEqual(await flagsIn(store, shared, 1), ['\\Deleted', '\\Flagged', 'keyword']);
  });

  it('a copy within the account of somebody else stays the same e-mail', async () => {
    const { theirs, store, shared, secret } = await world('lr');
    await store.commit([{ op: 'setMailbox', mailbox: secret, acl: [[guest, 'li']] }]);
    await theirs.commit([{ op: 'copy', mailbox: shared, uids: uids([1]), to: secret }]);
    const emails = async (mailbox: MailboxId, of: number): Promise<EmailId | undefined> => {
      const rows = (
        await drained(store.fetch(await store.open(mailbox), uids([of]), ['ids']))
      ).flat();
      return rows[0]?.emailId;
    };
    assert.equal(await emails(shared, 1), await emails(secret, 2));
  });
});

describe('what others see', () => {
  it('is what they may look up, and how full it is only with r', async () => {
    for (const [rights, messages] of [
      ['l', 0],
      ['lr', 1],
    ] as const) {
      const { theirs } = await world(rights);
      const listed = await theirs.mailboxes(guest, { shared: true });
      assert.deepEqual(
        listed.map(({ name }) => name),
        ['INBOX', 'Own', 'Shared'],
      );
      assert.deepEqual(
        (await theirs.mailboxes(owner)).map((info) => [info.name, info.messages]),
        [['Shared', messages]],
      );
      assert.deepEqual(
        (await theirs.mailboxes(guest)).map(({ name }) => name),
        ['INBOX', 'Own'],
      );
    }
    const { theirs } = await world(undefined);
    assert.equal(await outcome(theirs.mailboxes(owner)), 'NONEXISTENT');
    assert.equal(await outcome(theirs.mailboxes(asId<AccountId>('nobody'))), 'NONEXISTENT');
  });

  it('has no private metadata', async () => {
    const { store, theirs, mine, shared } = await world('lr');
    const metadata = [
      ['/private/comment', Buffer.from('p')],
      ['/shared/comment', Buffer.from('s')],
    ] as const;
    await store.commit([{ op: 'setMailbox', mailbox: shared, metadata }]);
    assert.deepEqual(
      (await theirs.metadata(shared)).map(([entry]) => entry),
      ['/shared/comment'],
    );
    assert.equal((await mine.metadata(shared)).length, 2);
  });

  it('of copies of an e-mail is what they may read', async () => {
    const { store, theirs, shared } = await world('lr');
    const [row] = (await drained(store.fetch(await store.open(shared), uids([1]), ['ids']))).flat();
    const emails = [row!.emailId!];
    assert.equal((await theirs.locate(owner, emails)).length, 1);
    await store.commit([{ op: 'setMailbox', mailbox: shared, acl: [[guest, 'l']] }]);
    assert.equal((await theirs.locate(owner, emails)).length, 0);
  });

  it('changes at once when the ACL does', async () => {
    const { store, theirs, shared } = await world('lr');
    await theirs.open(shared);
    const heard: string[] = [];
    theirs.subscribe({ mailboxes: [shared] }, ({ kind }) => heard.push(kind));
    await store.commit([message(shared)]);
    await store.commit([{ op: 'setMailbox', mailbox: shared, acl: [[guest, 'l']] }]);
    assert.equal(await outcome(theirs.open(shared)), 'NOPERM');
    await store.commit([{ op: 'setMailbox', mailbox: shared, acl: [[guest, null]] }]);
    assert.equal(await outcome(theirs.open(shared)), 'NONEXISTENT');
    await store.commit([message(shared)]);
    await store.commit([
      { op: 'setMailbox', mailbox: shared, acl: [[asId<AccountId>('anyone'), 'lr']] },
    ]);
    assert.equal(await outcome(theirs.open(shared)), 'ok');
    assert.deepEqual(heard, ['messages', 'mailbox', 'mailbox']);
  });
});

it('the index of the culprit and the results are those of what was asked for', async () => {
  const { theirs, shared, own, secret } = await world('lik');
  const create = { op: 'createMailbox', account: owner, name: 'Shared/Child' } as const;
  await assert.rejects(
    theirs.commit([message(own), create, message(secret)]),
    (error) => isMailError(error, 'NONEXISTENT') && error.write === 2,
  );
  await assert.rejects(
    theirs.commit([
      create,
      { op: 'deleteMailbox', mailbox: (await theirs.mailboxes(guest))[0]!.id },
    ]),
    (error) => isMailError(error, 'CANNOT') && error.write === 1,
  );
  const { results } = await theirs.commit([create, message(shared, ['\\Seen'])]);
  assert.equal(results.length, 2);
  assert.equal(results[0]?.mailbox, 'made');
  assert.equal(results[1]?.uid, 2);
  // Whoever made it has the rights there that they had above.
  const made = (await theirs.mailboxes(owner)).find(({ name }) => name === 'Shared/Child')!;
  assert.equal(rightsOf(made, guest), 'lik');
});

it('what is staged is read by whoever staged it, and nobody else', async () => {
  const { theirs, mine, own } = await world(undefined);
  const staged = await theirs.stage([sampleMessages.plain]);
  assert.deepEqual(
    Buffer.concat(await drained(theirs.read(staged))),
    Buffer.from(sampleMessages.plain),
  );
  assert.equal(await outcome(drained(mine.read(staged))), 'NONEXISTENT');
  await theirs.commit([message(own, [], [staged])]);
  assert.equal(await outcome(drained(theirs.read(staged))), 'NONEXISTENT');
});

it('closing what a session has closes nothing', async () => {
  const { theirs, mine, shared } = await world(undefined);
  await theirs.close();
  assert.equal(await outcome(mine.open(shared)), 'ok');
});
