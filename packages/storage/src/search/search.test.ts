/** `store.search` of EmbeddedStore, with the real thread and files: the same as `searchByReading`, whatever happened. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  asId,
  type AccountId,
  type EmailId,
  type LogEvent,
  type MailboxId,
  type MailStore,
  type Query,
  type Uid,
  type UidRanges,
} from '@mail-server-kit/core';
import { factsOf, searchByReading } from '@mail-server-kit/mime';
import { afterAll, describe, expect, it } from 'vitest';
import { range } from '../contract/given.ts';
import { openEmbeddedStore, type EmbeddedStore } from '../embedded/store.ts';
import { seeded } from '../fixtures/kill-ops.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-search-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const seed = Number(process.env['SEARCH_SEED'] ?? Math.floor(Math.random() * 1e6));

/** The index is built when a test says so. */
const NEVER = 1e8;
const events: LogEvent[] = [];
const open = (name: string): Promise<EmbeddedStore> =>
  openEmbeddedStore(path.join(root, name), {
    segmentOctets: 8 * 1_048_576,
    search: { delayMs: NEVER, removeMs: NEVER },
    log: (event) => events.push(event),
  });
const indexOf = ({ searchIndex }: EmbeddedStore) => searchIndex as NonNullable<typeof searchIndex>;
const search = (store: MailStore, ...args: Parameters<NonNullable<MailStore['search']>>) =>
  (store.search as NonNullable<MailStore['search']>)(...args);

const alice = 'Alice' as AccountId;
const bob = 'bob' as AccountId;

async function account(store: MailStore, name: AccountId): Promise<MailboxId> {
  const { results } = await store.commit([{ op: 'createAccount', account: name }]);
  return results[0]?.mailbox as MailboxId;
}

async function append(store: MailStore, mailbox: MailboxId, ...messages: readonly Uint8Array[]) {
  const writes = [];
  for (const octets of messages) {
    const { stage } = await store.stage([octets]);
    const facts = await factsOf([octets]);
    writes.push({
      ...{ op: 'append' as const, mailbox, content: [{ stage }], facts },
      ...{ flags: [], internalDate: 0 },
    });
  }
  await store.commit(writes);
}

const mail = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'));

/** Real ones where they are at hand, and odd ones. */
function messages(): Buffer[] {
  const directory = fileURLToPath(new URL('../../../../../shared/mail/', import.meta.url));
  const files = fs.existsSync(directory)
    ? fs.readdirSync(directory).filter((file) => file.endsWith('.eml'))
    : [];
  const real = files
    .filter((_, i) => i % 20 === 0)
    .map((file) => fs.readFileSync(directory + file));
  const made = Array.from({ length: 25 }, (_, i) =>
    mail(
      `Date: ${i + 1} Jan 2024 10:00:00 +0000\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= ${i}\nX-\xdf: odd\nContent-Type: text/plain; charset=utf-8\n\nBodies  have\nwords ${'zymurgy'.slice(i % 7)} ${i}\n`,
    ),
  );
  return [
    ...real,
    ...made,
    Buffer.from('no header at all'),
    Buffer.from(''),
    // Half of a surrogate pair, in UTF-16.
    mail(
      'Subject: half\nContent-Type: text/plain; charset=utf-16be\nContent-Transfer-Encoding: base64\n\n2D0AeNg93gA=\n',
    ),
    // Larger than what goes to the thread at once.
    mail(`Subject: large\n\n${'line after line\n'.repeat(90_000)}needle at the end\n`),
  ];
}

/** Terms that are there, with some of their surroundings, and terms that are not. */
function queries(random: () => number, texts: readonly Buffer[], count: number): Query[] {
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
  const term = () => {
    const text = pick(texts).toString(pick(['utf8', 'latin1']));
    const start = Math.floor(random() * text.length);
    return pick([
      text.slice(start, start + 1 + Math.floor(random() * 10)),
      pick([
        'zymurgy',
        'needle at',
        'GRÜSSE',
        'grüße',
        'e',
        'have\r\nwords',
        'xyzzy',
        '',
        '\u{1f600}',
      ]),
    ]);
  };
  const one = (depth: number): Query => {
    const roll = random();
    if (depth > 0 && roll < 0.15) return { not: one(depth - 1) };
    if (depth > 0 && roll < 0.3) return { all: [one(depth - 1), one(depth - 1)] };
    if (depth > 0 && roll < 0.45) return { any: [one(depth - 1), one(depth - 1)] };
    if (roll < 0.6) {
      return {
        header: pick(['Subject', 'FROM', 'x-\xdf', 'Received', 'X-None']),
        contains: term(),
      };
    }
    if (roll < 0.66) return { sentSince: Date.UTC(2024, 0, 10) };
    if (roll < 0.7) return { emailId: `M${Math.floor(random() * 50)}` as EmailId };
    return { text: term(), in: pick(['body', 'text']) };
  };
  return Array.from({ length: count }, () => one(3));
}

describe('search of EmbeddedStore', () => {
  it(`gives what reading gives, at any state of the index (SEARCH_SEED=${seed})`, async () => {
    const random = seeded(seed);
    const all = messages();
    let store = await open('any');
    const inbox = await account(store, alice);
    const other = await account(store, bob);
    const { results } = await store.commit([
      { op: 'createMailbox', account: alice, name: 'Archive' },
    ]);
    const archive = results[0]?.mailbox as MailboxId;
    const same = async (count: number) => {
      for (const mailbox of [inbox, archive, other]) {
        const snapshot = await store.open(mailbox);
        const among: UidRanges[] = [range(1, 1000), range(3, 40), range(900, 999)];
        for (const query of queries(random, all, count)) {
          const uids = among[Math.floor(random() * 3)] as UidRanges;
          const found = await search(store, snapshot, query, uids);
          const right = await searchByReading(store, snapshot, query, uids);
          expect(found, JSON.stringify({ mailbox, query, uids })).toEqual(right);
        }
      }
    };
    await append(store, inbox, ...all.slice(0, 35));
    await same(3);
    await indexOf(store).settled();
    await same(8);
    await append(store, inbox, ...all.slice(35));
    await store.commit([
      { op: 'copy', mailbox: inbox, uids: range(10, 30), to: archive },
      { op: 'copy', mailbox: inbox, uids: range(20, 40), to: other },
      { op: 'move', mailbox: inbox, uids: range(12, 15), to: archive },
      { op: 'expunge', mailbox: inbox, uids: range(5, 9) },
      { op: 'store', mailbox: inbox, uids: range(36, 38), add: ['\\Seen'] },
    ]);
    // Half of it lags.
    await same(5);
    await indexOf(store).settled();
    await same(8);
    const { messages: count, lag } = await indexOf(store).stats();
    // One text for all copies within an account.
    expect([count, lag]).toEqual([all.length + 21, 0]);
    await indexOf(store).removeExpunged();
    expect((await indexOf(store).stats()).messages).toBe(all.length - 5 + 21);
    await store.close();

    const directory = path.join(root, 'any', 'search');
    store = await open('any');
    await same(3);
    await store.close();
    for (const harm of [flip, cut, (file: string) => fs.rmSync(file)]) {
      for (const file of filesIn(directory)) if (random() < 0.6) harm(file, random);
      store = await open('any');
      await same(3);
      await indexOf(store).settled();
      await same(3);
      await store.close();
    }
    fs.rmSync(directory, { recursive: true });
    store = await open('any');
    await same(1);
    await indexOf(store).settled();
    expect((await indexOf(store).stats()).messages).toBe(all.length - 5 + 21);
    await same(5);
    await store.close();
  }, 240_000);

  it('goes on by reading where nothing can be written, and says so', async () => {
    fs.mkdirSync(path.join(root, 'full'));
    // No directory can be made there.
    fs.writeFileSync(path.join(root, 'full', 'search'), '');
    const store = await open('full');
    const inbox = await account(store, asId<AccountId>('ann'));
    await append(store, inbox, mail('Subject: one\n\nfirst\n'));
    events.length = 0;
    void indexOf(store).settled();
    const snapshot = await store.open(inbox);
    const query: Query = { text: 'FIRST', in: 'body' };
    expect(await search(store, snapshot, query)).toEqual([[1, 1]]);
    await expect
      .poll(() => events.map(({ event }) => event))
      .toContain('search index cannot be written');
    expect(await search(store, snapshot, query)).toEqual([[1, 1]]);
    await store.close();
  }, 60_000);

  it('forgets a destroyed account, and goes on where it was', async () => {
    let store = await open('gone');
    const inbox = await account(store, asId<AccountId>('Ann'));
    const kept = await account(store, asId<AccountId>('ann'));
    await append(store, inbox, mail('Subject: a\n\nof the one who goes\n'));
    await append(store, kept, mail('Subject: b\n\nof the one who stays\n'));
    await indexOf(store).settled();
    await store.close();
    store = await open('gone');
    await append(store, kept, mail('Subject: c\n\nof the one who stays, later\n'));
    await store.commit([{ op: 'destroyAccount', account: asId<AccountId>('Ann') }]);
    await indexOf(store).settled();
    const files = filesIn(path.join(root, 'gone', 'search'));
    expect(files.filter((file) => file.includes('=ann'))).toEqual([]);
    expect(files.filter((file) => file.includes('/ann.'))).toHaveLength(2);
    expect((await indexOf(store).stats()).messages).toBe(2);
    const snapshot = await store.open(kept);
    expect(await search(store, snapshot, { text: 'stays', in: 'text' })).toEqual([[1, 2]]);
    await store.close();
  }, 60_000);

  it('starts anew where the store is another one than that of the index', async () => {
    const first = await open('old');
    const inbox = await account(first, asId<AccountId>('ann'));
    await append(first, inbox, mail('Subject: a\n\nfirst life\n'));
    await first.close();
    fs.cpSync(path.join(root, 'old'), path.join(root, 'copy'), { recursive: true });
    const original = await open('old');
    await append(original, inbox, mail('Subject: b\n\nmeant for the original\n'));
    await indexOf(original).settled();
    await original.close();
    // The copy goes on in another way, with the index of the original.
    fs.cpSync(path.join(root, 'old', 'search'), path.join(root, 'copy', 'search'), {
      recursive: true,
    });
    const copy = await open('copy');
    await append(copy, inbox, mail('Subject: b\n\nmeant for its own copy.\n'));
    await indexOf(copy).settled();
    const snapshot = await copy.open(inbox);
    const query: Query = { text: 'meant for', in: 'body' };
    expect(await search(copy, snapshot, query)).toEqual([[2 as Uid, 2 as Uid]]);
    expect(await search(copy, snapshot, { text: 'original', in: 'body' })).toEqual([]);
    await copy.close();
  }, 60_000);

  it('can be left out', async () => {
    const store = await openEmbeddedStore(path.join(root, 'without'), { search: false });
    expect(store.search).toBeUndefined();
    expect(store.abilities.has('search')).toBe(false);
    await store.close();
    const reading = await open('without');
    expect(reading.abilities.has('search')).toBe(true);
    await reading.close();
  });
});

function filesIn(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function flip(file: string, random: () => number): void {
  const octets = fs.readFileSync(file);
  const at = Math.floor(random() * octets.length);
  octets[at] = (octets[at] as number) ^ 4;
  fs.writeFileSync(file, octets);
}

const cut = (file: string, random: () => number): void =>
  fs.truncateSync(file, Math.floor(random() * fs.statSync(file).size));
