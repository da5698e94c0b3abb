import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, it } from 'vitest';
import {
  isMailError,
  type AccountId,
  type Facts,
  type MailStore,
  type MailboxId,
  type Uid,
  type UidRanges,
  type Write,
} from '@mail-server-kit/core';
import { mailStoreContract } from './contract/index.ts';
import { openEmbeddedStore, type EmbeddedStoreOptions } from './embedded/store.ts';
import { createKeyFile, keyFile, passphrase } from './embedded/vault/master-key.ts';
import { keysIn, sealedIn } from './fixtures/unsealing.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-encrypted-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

const masterKey = passphrase('correct horse', { cost: 16 });
let count = 0;
const fresh = () => path.join(root, String(count++));
const open = (directory: string, options: EmbeddedStoreOptions = {}) =>
  openEmbeddedStore(directory, { segmentOctets: 524_288, encryption: { masterKey }, ...options });

describe('EmbeddedStore, encrypted', () => {
  mailStoreContract({ describe, it }, () => open(fresh()));
});

const anna = 'anna' as AccountId;
const ben = 'ben' as AccountId;
const first: UidRanges = [[1 as Uid, 1 as Uid]];

function mail(mailbox: MailboxId, word: string): Write {
  const facts: Facts = {
    version: 1,
    envelope: Buffer.from(`(envelope ${word})`),
    structure: Buffer.from('("TEXT" "PLAIN" NIL NIL NIL "7BIT" 20 1 NIL NIL NIL NIL)'),
    ascii: true,
    preview: `preview ${word}`,
    sort: { sentDate: 0, subject: word, from: word, to: word, cc: '' },
    thread: { messageId: `${word}@example.org`, references: [] },
  };
  const content = [Buffer.from(`Subject: ${word}\r\n\r\nbody ${word}\r\n`)];
  return { op: 'append', mailbox, content, facts, flags: [`$${word}`], internalDate: 0 };
}

async function fill(store: MailStore, account: AccountId, word: string): Promise<MailboxId> {
  const { results } = await store.commit([{ op: 'createAccount', account }]);
  const inbox = results[0]?.mailbox as MailboxId;
  await store.commit([mail(inbox, word), mail(inbox, word)], { id: `id-${word}` });
  const record = { op: 'putRecord', space: 'contacts', account } as const;
  await store.commit([
    { op: 'createMailbox', account, name: `mailbox-${word}` },
    { ...record, key: `key-${word}`, value: Buffer.from(`value ${word}`) },
    { ...record, key: `old-${word}`, value: Buffer.from('old') },
  ]);
  await store.commit([
    { op: 'deleteRecord', space: 'contacts', key: `old-${word}` },
    { op: 'expunge', mailbox: inbox, uids: [[2 as Uid, 2 as Uid]] },
  ]);
  return inbox;
}

/** All octets of all files below. */
function octetsBelow(directory: string): Buffer {
  const entries = fs.readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Buffer.concat(
    files.map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name))),
  );
}

async function preview(store: MailStore, mailbox: MailboxId): Promise<string | undefined> {
  for await (const rows of store.fetch(await store.open(mailbox), first, ['preview'])) {
    return rows[0]?.facts.preview;
  }
  return undefined;
}

describe('an encrypted directory', () => {
  it('holds no word of anybody, and a start reads all of it from the index', async () => {
    const directory = fresh();
    const store = await open(directory);
    const inbox = await fill(store, anna, 'xylophone');
    await store.searchIndex?.settled();
    await store.close();
    const octets = octetsBelow(directory);
    assert.ok(!octets.includes('xylophone'));
    const events: string[] = [];
    const again = await open(directory, { log: ({ event }) => void events.push(event) });
    assert.equal(events.length, 0, events.join());
    assert.equal(await preview(again, inbox), 'preview xylophone');
    assert.ok((await again.mailboxes(anna)).some(({ name }) => name === 'mailbox-xylophone'));
    const record = await again.record('contacts', 'key-xylophone');
    assert.equal(Buffer.from(record?.value as Uint8Array).toString(), 'value xylophone');
    const repeated = await again.commit([mail(inbox, 'xylophone')], { id: 'id-xylophone' });
    assert.equal(repeated.results.length, 2);
    await again.commit([
      { op: 'deleteRecord', space: 'contacts', key: 'key-xylophone' },
      { op: 'putRecord', space: 'contacts', key: 'new', value: Buffer.from('n'), account: anna },
    ]);
    await again.close();
    const third = await open(directory, { log: ({ event }) => void events.push(event) });
    assert.equal(await third.record('contacts', 'key-xylophone'), undefined);
    assert.ok(await third.record('contacts', 'new'));
    assert.equal(events.length, 0, events.join());
    await third.close();
  });

  it('keeps nothing of a destroyed account that the master key opens, in older copies of it neither', async () => {
    const directory = fresh();
    const store = await open(directory);
    await fill(store, anna, 'xylophone');
    const inbox = await fill(store, ben, 'marimba');
    await store.searchIndex?.settled();
    await store.close();
    // A backup of everything but the keys.
    const older = ['journal', 'index', 'search'].map((name) => path.join(directory, name));
    const copies: Buffer[] = [Buffer.concat(older.map(octetsBelow))];
    const again = await open(directory);
    await again.commit([{ op: 'destroyAccount', account: anna }], { id: 'id-of-the-end' });
    // The same answer, though what else had belonged to the account is forgotten.
    await again.commit([{ op: 'destroyAccount', account: anna }], { id: 'id-of-the-end' });
    await again.searchIndex?.settled();
    await again.close();
    copies.push(octetsBelow(directory));
    const keys = await keysIn(octetsBelow(path.join(directory, 'keys')), masterKey);
    assert.deepEqual([...keys.keys()].sort(), ['', 'ben']);
    for (const raw of copies) {
      assert.ok(!raw.includes('xylophone') && !raw.includes('marimba'));
      const plains = [...sealedIn(raw, keys, ['', anna, ben])].map(String);
      assert.ok(plains.every((plain) => !plain.includes('xylophone')));
      // It does look inside what can be opened, in the index too.
      for (const word of ['body marimba', 'i/id-marimba', 'r/8:contactskey-marimba']) {
        assert.ok(
          plains.some((plain) => plain.includes(word)),
          word,
        );
      }
    }
    const events: string[] = [];
    const third = await open(directory, { log: ({ event }) => void events.push(event) });
    assert.equal(events.length, 0, events.join());
    assert.equal(await preview(third, inbox), 'preview marimba');
    await assert.rejects(third.mailboxes(anna), (e: unknown) => isMailError(e, 'NONEXISTENT'));
    await third.close();
  });

  it('makes its index anew if the process ends after an account was destroyed and before a checkpoint', async () => {
    const directory = fresh();
    const store = await open(directory);
    const inbox = await fill(store, ben, 'marimba');
    await fill(store, anna, 'xylophone');
    await store.close();
    const before = path.join(root, 'index-before');
    fs.cpSync(path.join(directory, 'index'), before, { recursive: true });
    const again = await open(directory);
    await again.commit([{ op: 'destroyAccount', account: anna }]);
    await again.close();
    fs.rmSync(path.join(directory, 'index'), { recursive: true });
    fs.cpSync(before, path.join(directory, 'index'), { recursive: true });
    const events: string[] = [];
    const third = await open(directory, { log: ({ event }) => void events.push(event) });
    assert.deepEqual(events, ['index is made anew']);
    assert.equal(await preview(third, inbox), 'preview marimba');
    await third.close();
  });

  it('is refused without its master key or with another one, and rotates to another one', async () => {
    const directory = fresh();
    const keys = path.join(root, 'master.key');
    await createKeyFile(keys);
    const made = await open(directory);
    await fill(made, ben, 'marimba');
    await made.close();
    const refused = (options: EmbeddedStoreOptions, code: 'CANNOT' | 'NOPERM') =>
      assert.rejects(openEmbeddedStore(directory, options), (e: unknown) => isMailError(e, code));
    await refused({}, 'CANNOT');
    await refused({ readOnly: true }, 'CANNOT');
    const fromFile = { encryption: { masterKey: await keyFile(keys) } };
    await refused(fromFile, 'NOPERM');
    const store = await open(directory);
    const inbox = await fill(store, anna, 'xylophone');
    await store.rotateMasterKey(fromFile.encryption.masterKey);
    await store.close();
    await refused({ encryption: { masterKey } }, 'NOPERM');
    const again = await openEmbeddedStore(directory, { ...fromFile, readOnly: true });
    assert.equal(await preview(again, inbox), 'preview xylophone');
    await again.close();
    const plain = fresh();
    const clear = await openEmbeddedStore(plain, { segmentOctets: 65_536 });
    await clear.commit([{ op: 'createAccount', account: anna }]);
    await clear.close();
    await assert.rejects(open(plain), (e: unknown) => isMailError(e, 'CANNOT'));
    await (await openEmbeddedStore(plain)).close();
  });

  it('ends what a snapshot of a destroyed account shows of its tables, and harms no other', async () => {
    const directory = fresh();
    const store = await open(directory);
    const inbox = await fill(store, anna, 'xylophone');
    const other = await fill(store, ben, 'marimba');
    await store.close();
    const again = await open(directory);
    const snapshot = await again.open(inbox);
    await again.commit([{ op: 'destroyAccount', account: anna }]);
    assert.throws(
      () => snapshot.blocks[0]?.flagsLow,
      (error: unknown) => isMailError(error, 'EXPUNGED'),
    );
    await again.close();
    const events: string[] = [];
    const third = await open(directory, { log: ({ event }) => void events.push(event) });
    assert.equal(events.length, 0, events.join());
    assert.equal(await preview(third, other), 'preview marimba');
    await third.close();
  });
});
