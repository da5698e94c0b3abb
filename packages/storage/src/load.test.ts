/** What goes on beside what: hashes, large uploads, copies of whole mailboxes. Counted, not timed. */
import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { MailStore, MailboxId, Uid, UidRanges } from '@mail-server-kit/core';
import { afterAll, afterEach, beforeEach, describe, it } from 'vitest';
import { alice, all, collect, fails, message } from './contract/given.ts';
import { openEmbeddedStore } from './embedded/store.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-load-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

const MIB = 1_048_576;

describe('EmbeddedStore', { timeout: 60_000 }, () => {
  let count = 0;
  let store: MailStore;
  let inbox: MailboxId;

  beforeEach(async () => {
    store = await openEmbeddedStore(path.join(root, String(count++)), { segmentOctets: 8 * MIB });
    const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
    inbox = results[0]?.mailbox as MailboxId;
  });
  afterEach(() => store.close());

  const append = (text: string) =>
    store.commit([{ op: 'append', mailbox: inbox, ...message(text) }]);

  it('commits while password hashes occupy every thread of the pool', async () => {
    let hashed = 0;
    const hash = () =>
      new Promise<void>((resolve, reject) => {
        pbkdf2('password', 'salt', 2_000_000, 32, 'sha256', (error) => {
          hashed++;
          if (error) reject(error);
          else resolve();
        });
      });
    const hashes = Promise.all([hash(), hash(), hash(), hash()]);
    await append('beside them');
    // Behind them in the pool, it would have waited for one.
    assert.equal(hashed, 0);
    await hashes;
  });

  it('commits small messages while one of 50 MB arrives', async () => {
    const size = 50 * MIB;
    const part = Buffer.alloc(65_536, 'large');
    let arrived = false;
    const upload = store
      .stage(
        (async function* () {
          for (let at = 0; at < size; at += part.length) yield part;
        })(),
      )
      .finally(() => (arrived = true));
    let commits = 0;
    for (; !arrived; commits++) await append(`${commits}`);
    const { stage } = await upload;
    assert.ok(commits >= 10, `only ${commits} commits`);
    const { results } = await store.commit([
      { op: 'append', mailbox: inbox, ...message([{ stage }]) },
    ]);
    const snapshot = await store.open(inbox);
    assert.equal(snapshot.messages, commits + 1);
    const body = await collect(store.read({ snapshot, uid: results[0]?.uid as Uid }));
    assert.equal(body.length, size);
  });

  it('copies 100,000 messages in one commit; what no segment can hold is LIMIT and changes nothing', async () => {
    await append('one of many');
    const copy = (uids: UidRanges) =>
      store.commit([{ op: 'copy', mailbox: inbox, uids, to: inbox }]);
    for (let i = 0; i < 16; i++) await copy(all);
    await copy([[1 as Uid, 34_464 as Uid]]);
    await copy(all);
    const snapshot = await store.open(inbox);
    assert.equal(snapshot.messages, 200_000);
    await fails(copy(all), 'LIMIT');
    assert.equal(await store.open(inbox), snapshot);
    const body = await collect(store.read({ snapshot, uid: 200_000 as Uid }));
    assert.equal(body, 'one of many');
  });
});
