/** Looking at a store that somebody else owns. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { AccountId, MailStore, MailboxId } from '@mail-server-kit/core';
import { message, readText, uidsOf } from './contract/given.ts';
import { openEmbeddedStore } from './index.ts';

const directories: string[] = [];
const stores: MailStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const each of directories.splice(0)) fs.rmSync(each, { recursive: true, force: true });
});

const alice = 'alice' as AccountId;

async function opened(directory: string, options = {}): Promise<MailStore> {
  const store = await openEmbeddedStore(directory, { segmentOctets: 65_536, ...options });
  stores.push(store);
  return store;
}

function temporary(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'read-only-'));
  directories.push(directory);
  return directory;
}

async function withMail(directory: string): Promise<{ store: MailStore; inbox: MailboxId }> {
  const store = await opened(directory);
  const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
  const inbox = results[0]?.mailbox as MailboxId;
  await store.commit([{ op: 'append', mailbox: inbox, ...message('Subject: one\r\n\r\nOne\r\n') }]);
  return { store, inbox };
}

/** Names, sizes and times of all files below. */
const seen = (directory: string) =>
  fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const { size, mtimeMs } = fs.statSync(file);
      return { file, size, mtimeMs };
    });

describe('a store that is opened to be read', () => {
  it('has what its owner has made durable, while the owner goes on', async () => {
    const directory = temporary();
    const { store, inbox } = await withMail(directory);
    const reader = await opened(directory, { readOnly: true });
    await store.commit([{ op: 'append', mailbox: inbox, ...message() }]);
    const snapshot = await reader.open(inbox);
    expect(uidsOf(snapshot)).toEqual([1]);
    const [uid] = snapshot.blocks[0]?.uid ?? [];
    expect(await readText(reader, { snapshot, uid: uid as never })).toBe(
      'Subject: one\r\n\r\nOne\r\n',
    );
    expect(uidsOf(await store.open(inbox))).toEqual([1, 2]);
  });

  it('refuses commits and changes no file', async () => {
    const directory = temporary();
    const { store, inbox } = await withMail(directory);
    await store.close();
    const before = seen(directory);
    const reader = await opened(directory, { readOnly: true });
    await expect(
      reader.commit([{ op: 'append', mailbox: inbox, ...message() }]),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await reader.close();
    expect(seen(directory)).toEqual(before);
  });

  it('is opened again and again beside a writer without a false alarm', async () => {
    const directory = temporary();
    const { store, inbox } = await withMail(directory);
    let stop = false;
    const writing = (async () => {
      while (!stop) await store.commit([{ op: 'append', mailbox: inbox, ...message() }]);
    })();
    let last = 0;
    for (let i = 0; i < 30; i++) {
      const reader = await opened(directory, { readOnly: true });
      const { messages } = await reader.open(inbox);
      expect(messages).toBeGreaterThanOrEqual(last);
      last = messages;
      await reader.close();
    }
    stop = true;
    await writing;
  });

  it('says that nothing is there, and makes nothing', async () => {
    const directory = temporary();
    await expect(openEmbeddedStore(directory, { readOnly: true })).rejects.toMatchObject({
      code: 'NONEXISTENT',
    });
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});
