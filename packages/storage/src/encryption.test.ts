import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import {
  isMailError,
  silent,
  type AccountId,
  type Facts,
  type MailStore,
  type MailboxId,
  type Uid,
  type Write,
} from '@mail-server-kit/core';
import { fakeDisk, type FakeDisk } from '@mail-server-kit/core/testing';
import { openJournalStore, type JournalStore } from './embedded/engine.ts';
import { JournalWriter } from './embedded/journal-writer.js';
import { InlineLink } from './embedded/link.ts';
import { withDefaults } from './embedded/store.ts';
import { passphrase, type MasterKey } from './embedded/vault/master-key.ts';
import { keysIn, sealedIn } from './fixtures/unsealing.ts';

const master = passphrase('correct horse', { cost: 16 });

interface Disks {
  readonly journal: FakeDisk;
  readonly keys: FakeDisk;
}
const disks = (seed = 1): Disks => ({ journal: fakeDisk({ seed }), keys: fakeDisk({ seed }) });

function openOn(
  { journal, keys }: Disks,
  masterKey: MasterKey | undefined = master,
  { segmentOctets = 524_288, readOnly = false } = {},
): Promise<JournalStore> {
  return openJournalStore({
    ...withDefaults({ segmentOctets }),
    ...(masterKey ? { encryption: { masterKey } } : {}),
    disk: journal,
    keyDisks: [keys],
    link: (about) => new InlineLink(new JournalWriter(journal, about), silent),
    readOnly,
  });
}

const anna = 'anna' as AccountId;
const ben = 'ben' as AccountId;
const factsOf = (secret: string): Facts => ({
  version: 1,
  envelope: Buffer.from(`(envelope ${secret})`),
  structure: Buffer.from(`(structure ${secret})`),
  ascii: true,
  preview: `preview ${secret}`,
  sort: { sentDate: 0, subject: `subject ${secret}`, from: secret, to: secret, cc: '' },
  thread: { messageId: `${secret}@example.org`, references: [`ref-${secret}`] },
});
const append = (mailbox: MailboxId, secret: string, size = 500): Write => ({
  op: 'append',
  mailbox,
  content: [Buffer.from(`body ${secret} `.repeat(Math.ceil(size / 20)))],
  facts: factsOf(secret),
  flags: [`$${secret}`],
  internalDate: 0,
});

async function inboxOf(store: MailStore, account: AccountId): Promise<MailboxId> {
  const { results } = await store.commit([{ op: 'createAccount', account }]);
  return results[0]?.mailbox as MailboxId;
}

async function bodyOf(store: MailStore, mailbox: MailboxId, uid: number, start = 0, end?: number) {
  const snapshot = await store.open(mailbox);
  const parts: Uint8Array[] = [];
  for await (const part of store.read({ snapshot, uid: uid as Uid }, start, end)) parts.push(part);
  return Buffer.concat(parts).toString();
}

function octetsOf(disk: FakeDisk): Buffer {
  return Buffer.concat(
    disk.list().map((name) => {
      const file = disk.open(name, 'read');
      const bytes = Buffer.alloc(file.size());
      file.read(bytes, 0);
      file.close();
      return bytes;
    }),
  );
}

/** Everything that a store can hold of an account, each marked with a secret word. */
async function fill(store: MailStore, account: AccountId, secret: string): Promise<MailboxId> {
  const inbox = await inboxOf(store, account);
  await store.commit([append(inbox, secret), append(inbox, secret, 200_000)], {
    id: `id-${secret}`,
  });
  const { stage } = await store.stage([Buffer.from(`staged ${secret} `.repeat(40_000))]);
  const record = { op: 'putRecord', space: 'contacts', account } as const;
  await store.commit([
    { op: 'createMailbox', account, name: `mailbox-${secret}` },
    { op: 'subscribeName', account, name: `name-${secret}`, subscribed: true },
    { op: 'setMailbox', mailbox: inbox, metadata: [['/private/comment', Buffer.from(secret)]] },
    {
      ...record,
      key: `key-${secret}`,
      value: Buffer.from(`value ${secret}`),
      content: [{ stage }],
    },
    { ...record, key: `old-${secret}`, value: Buffer.from(secret) },
  ]);
  await store.commit([{ op: 'deleteRecord', space: 'contacts', key: `old-${secret}` }]);
  await store.commit([
    { op: 'store', mailbox: inbox, uids: [[1, 1]] as never, add: [`$too-${secret}`] },
  ]);
  return inbox;
}

describe('an encrypted store', () => {
  it('leaves no word of anybody on the disk, and reads all of it again', async () => {
    const on = disks();
    const store = await openOn(on);
    const inbox = await fill(store, anna, 'xylophone');
    await store.commit([
      { op: 'putRecord', space: 'secret', key: 'xylophone-key', value: Buffer.from('xylophone') },
    ]);
    await store.close();
    for (const disk of [on.journal, on.keys]) assert.ok(!octetsOf(disk).includes('xylophone'));
    const again = await openOn(on);
    assert.match(await bodyOf(again, inbox, 1), /^(body xylophone )+$/);
    const large = await bodyOf(again, inbox, 2);
    assert.equal(large.length, 150_000);
    assert.equal(await bodyOf(again, inbox, 2, 131_061, 131_091), large.slice(131_061, 131_091));
    const [contact] = await collect(again.records('contacts'));
    assert.equal(Buffer.from(contact?.value as Uint8Array).toString(), 'value xylophone');
    assert.equal(
      (await collect(again.read({ space: 'contacts', key: 'key-xylophone' }))).length,
      3,
    );
    assert.equal((await again.record('secret', 'xylophone-key'))?.version, 1);
    await again.close();
  });

  it('opens with its master key only, and says so', async () => {
    const on = disks();
    const store = await openOn(on);
    await fill(store, anna, 'secret');
    await store.close();
    const before = [octetsOf(on.journal), octetsOf(on.keys)];
    const refused = async (key: MasterKey | undefined, code: 'CANNOT' | 'NOPERM', text: RegExp) => {
      const error: unknown = await openJournalStore({
        ...withDefaults({ segmentOctets: 524_288 }),
        ...(key ? { encryption: { masterKey: key } } : {}),
        disk: on.journal,
        keyDisks: [on.keys],
        link: (about) => new InlineLink(new JournalWriter(on.journal, about), silent),
      }).catch((reason: unknown) => reason);
      assert.ok(isMailError(error, code), String(error));
      assert.match(error.message, text);
    };
    await refused(undefined, 'CANNOT', /encrypted/);
    await refused(passphrase('wrong', { cost: 16 }), 'NOPERM', /another one/);
    const kms = { ...passphrase('wrong', { cost: 16 }), id: 'kms 7' };
    await refused(kms, 'NOPERM', /another master key \(passphrase, not kms 7\)/);
    assert.deepEqual([octetsOf(on.journal), octetsOf(on.keys)], before);
    await (await openOn(on)).close();
  });

  it('is refused without its keys, and a plain one with a master key', async () => {
    const on = disks();
    const store = await openOn(on);
    await fill(store, anna, 'secret');
    await store.close();
    const cannot = (error: unknown) => isMailError(error, 'CANNOT');
    await assert.rejects(openOn({ ...on, keys: fakeDisk() }), cannot);
    // Nothing but the journal is left of it.
    const withoutKeys = { ...withDefaults({}), disk: on.journal };
    const link = () => assert.fail('not opened');
    await assert.rejects(openJournalStore({ ...withoutKeys, link }), cannot);
    const plain = fakeDisk();
    const open = () =>
      openJournalStore({
        ...withDefaults({ segmentOctets: 65_536 }),
        disk: plain,
        link: (about) => new InlineLink(new JournalWriter(plain, about), silent),
      });
    await (await open()).close();
    await assert.rejects(openOn({ journal: plain, keys: fakeDisk() }), cannot);
    await (await open()).close();
  });

  it('misses the key of an account that is not destroyed', async () => {
    const on = disks();
    const store = await openOn(on);
    await inboxOf(store, anna);
    const keys = on.keys.list().map((name) => [name, fileOf(on.keys, name)] as const);
    await inboxOf(store, ben);
    await store.close();
    const older = fakeDisk();
    for (const [name, bytes] of keys) write(older, name, bytes);
    await assert.rejects(openOn({ ...on, keys: older }), /key of account ben is missing/);
  });

  it('takes a flipped bit for damage, never for mail', async () => {
    const on = disks();
    const store = await openOn(on);
    const inbox = await inboxOf(store, anna);
    await store.commit([append(inbox, 'secret')]);
    const whole = octetsOf(on.journal);
    const { results } = await store.commit([append(inbox, 'another')]);
    assert.equal(results[0]?.uid, 2);
    const grown = octetsOf(on.journal);
    const [name = ''] = on.journal.list();
    const differs = [...grown.keys()].filter((at) => grown[at] !== whole[at]);
    const [from, end] = [differs[0] as number, differs.at(-1) as number];
    let read = 0;
    for (let at = from; at < end; at += 13) {
      on.journal.flip(name, at, at % 8);
      // Another store object: nothing is at hand.
      const reader = await openOn(on, master, { readOnly: true }).catch((error: unknown) => error);
      if (isMailError(reader)) assert.equal(reader.code, 'CORRUPTION');
      else {
        const other = reader as JournalStore;
        const body = await bodyOf(other, inbox, 2).catch((error: unknown) => error);
        if (typeof body === 'string') assert.match(body, /^(body another )+$/);
        else assert.ok(isMailError(body, 'CORRUPTION', 'NONEXISTENT'), String(body));
        read++;
        await other.close();
      }
      on.journal.flip(name, at, at % 8);
    }
    assert.ok(read > 0);
    await store.close();
  });

  it('keeps copies for another account when the first one is destroyed, slices of bodies too', async () => {
    const on = disks();
    const store = await openOn(on);
    const from = await fill(store, anna, 'shared');
    const to = await inboxOf(store, ben);
    await store.commit([{ op: 'copy', mailbox: from, to, uids: [[1, 2]] as never }]);
    await store.commit([
      {
        ...append(to, 'composed'),
        content: [
          { mailbox: from, uid: 2 as Uid, start: 65_531, end: 65_541 },
          Buffer.from('|'),
          { mailbox: from, uid: 1 as Uid, start: 0, end: 11 },
        ],
      } as Write,
      { op: 'move', mailbox: from, to, uids: [[2, 2]] as never },
    ]);
    const { results } = await store.commit([
      append(from, 'both'),
      { op: 'copy', mailbox: from, to, uids: [[3, 3]] as never },
    ]);
    assert.equal(results[0]?.uid, 3);
    const large = await bodyOf(store, to, 2);
    await store.commit([{ op: 'destroyAccount', account: anna }]);
    const check = async (now: MailStore) => {
      assert.match(await bodyOf(now, to, 1), /^(body shared )+$/);
      assert.equal(await bodyOf(now, to, 2), large);
      assert.equal(await bodyOf(now, to, 3), `${large.slice(65_531, 65_541)}|body shared`);
      assert.equal(await bodyOf(now, to, 4), large);
      assert.match(await bodyOf(now, to, 5), /^(body both )+$/);
      const rows = await collect(now.fetch(await now.open(to), [[1, 5]] as never, ['preview']));
      assert.equal(rows.flat()[0]?.facts.preview, 'preview shared');
    };
    await check(store);
    await store.close();
    const again = await openOn(on);
    await check(again);
    await again.close();
  });

  it('can be given another master key, which writes keys and nothing else', async () => {
    const on = disks();
    const store = await openOn(on);
    const inbox = await fill(store, anna, 'secret');
    const before = octetsOf(on.journal);
    const next = passphrase('another', { cost: 16 });
    await store.rotateMasterKey(next);
    assert.deepEqual(octetsOf(on.journal), before);
    await store.commit([append(inbox, 'later')]);
    await store.close();
    await assert.rejects(openOn(on), (error: unknown) => isMailError(error, 'NOPERM'));
    const again = await openOn(on, next);
    assert.match(await bodyOf(again, inbox, 3), /^(body later )+$/);
    await again.close();
  });
});

describe('destroying an account', () => {
  it('leaves nothing that the master key could open, in old copies of the journal neither', async () => {
    const on = disks();
    const store = await openOn(on);
    await fill(store, anna, 'xylophone');
    const inbox = await fill(store, ben, 'marimba');
    const older = octetsOf(on.journal);
    await store.commit([{ op: 'destroyAccount', account: anna }]);
    await store.commit([append(inbox, 'marimba')]);
    await store.close();
    const keys = await keysIn(octetsOf(on.keys), master);
    assert.deepEqual([...keys.keys()].sort(), ['', 'ben']);
    const accounts = ['', anna, ben];
    let opened = 0;
    for (const raw of [older, octetsOf(on.journal)]) {
      assert.ok(!raw.includes('xylophone') && !raw.includes('marimba'));
      for (const plain of sealedIn(raw, keys, accounts)) {
        opened++;
        assert.ok(!plain.includes('xylophone'));
      }
    }
    // It does look inside what can be opened: the words of the other account are found.
    assert.ok(opened > 10);
    const plains = [...sealedIn(older, keys, accounts)].map(String);
    for (const word of ['preview marimba', 'value marimba', 'mailbox-marimba', 'body marimba']) {
      assert.ok(
        plains.some((plain) => plain.includes(word)),
        word,
      );
    }
  });

  it('is finished by the next opening if the power goes between the commit and its key', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const on = disks(seed);
      const store = await openOn(on);
      const gone = await fill(store, anna, 'xylophone');
      const inbox = await fill(store, ben, 'marimba');
      on.keys.fail((['write', 'sync'] as const)[seed % 2] as 'write', 'EIO', (seed >> 1) % 3);
      await store.commit([{ op: 'destroyAccount', account: anna }]);
      on.keys.crash();
      on.journal.crash();
      const again = await openOn(on);
      assert.ok(!again.vault?.has(anna) && again.vault?.has(ben));
      await assert.rejects(again.open(gone), (error: unknown) => isMailError(error, 'NONEXISTENT'));
      assert.match(await bodyOf(again, inbox, 1), /^(body marimba )+$/);
      await again.close();
      const keys = octetsOf(on.keys);
      assert.ok(keys.includes(ben) && !keys.includes(anna), `seed ${seed}`);
      // A replay from the beginning skips what it cannot read.
      const third = await openOn(on);
      const made = third.commit([{ op: 'createAccount', account: anna }]);
      await assert.rejects(made, (error: unknown) => isMailError(error, 'ALREADYEXISTS'));
      const version = await third.commit([
        { op: 'putRecord', space: 'contacts', key: 'old-xylophone', value: Buffer.from('x') },
      ]);
      assert.ok((version.results[0]?.version ?? 0) > 1, 'a version that was given comes again');
      await third.close();
    }
  });

  it('takes a record along that it had last, and does not bring back who had it before', async () => {
    const on = disks();
    const store = await openOn(on);
    for (const account of [anna, ben]) await inboxOf(store, account);
    const put = { op: 'putRecord', space: 's', key: 'k' } as const;
    await store.commit([{ ...put, value: Buffer.from('of anna'), account: anna }]);
    await store.commit([{ ...put, value: Buffer.from('of ben'), account: ben }]);
    await store.commit([{ op: 'destroyAccount', account: ben }]);
    assert.equal(await store.record('s', 'k'), undefined);
    await store.close();
    const again = await openOn(on);
    assert.equal(await again.record('s', 'k'), undefined);
    assert.equal((await again.usage(anna)).used.octets, 0);
    await again.close();
  });

  it('ends what snapshots of it can be read', async () => {
    const store = await openOn(disks());
    const inbox = await fill(store, anna, 'secret');
    const snapshot = await store.open(inbox);
    await store.commit([{ op: 'destroyAccount', account: anna }]);
    await assert.rejects(collect(store.read({ snapshot, uid: 1 as Uid })), (error: unknown) =>
      isMailError(error, 'EXPUNGED'),
    );
    await store.close();
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function fileOf(disk: FakeDisk, name: string): Buffer {
  const file = disk.open(name, 'read');
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0);
  file.close();
  return bytes;
}

function write(disk: FakeDisk, name: string, bytes: Buffer): void {
  const file = disk.open(name, 'write');
  file.write([bytes], 0);
  file.sync();
  file.close();
  disk.syncDirectory();
}
