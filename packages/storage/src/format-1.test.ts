/** Stores of the first release open, and go on. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, it } from 'vitest';
import type { AccountId, MailStore } from '@mail-server-kit/core';
import { fakeDisk } from '@mail-server-kit/core/testing';
import { alice, bob, fails, message, octets } from './contract/given.ts';
import { openEmbeddedStore } from './embedded/store.ts';
import { openOn } from './fixtures/disk-store.ts';
import { format1, plainly, within } from './fixtures/format-1.ts';
import { dump } from './fixtures/world.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-format-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const { files, expected } = format1();

async function holdsAll(store: MailStore): Promise<void> {
  assert.deepEqual(within(expected, plainly(await dump(store))), expected);
}

describe('a journal of format 1', () => {
  it('opens with all that it held, and goes on', async () => {
    const disk = fakeDisk();
    for (const [name, bytes] of files) {
      const file = disk.open(name, 'write');
      file.write([bytes], 0);
      file.sync();
      file.close();
    }
    disk.syncDirectory();
    const store = await openOn(disk);
    await holdsAll(store);
    await goesOn(store);
    await store.close();
    const again = await openOn(disk);
    const [, made] = await again.mailboxes(bob);
    assert.equal(made?.name, 'Renamed');
    await again.close();
  });

  it('opens in its directory, first without an index, then with one', async () => {
    const journal = path.join(root, 'journal');
    fs.mkdirSync(journal);
    for (const [name, bytes] of files) fs.writeFileSync(path.join(journal, name), bytes);
    for (let start = 0; start < 2; start++) {
      const store = await openEmbeddedStore(root, { segmentOctets: 65_536 });
      await holdsAll(store);
      await store.close();
    }
  });

  /** Nothing is given a second time, and what is to be remembered is. */
  async function goesOn(store: MailStore): Promise<void> {
    await fails(
      store.commit([{ op: 'createAccount', account: 'carol' as AccountId }]),
      'ALREADYEXISTS',
    );
    const inbox = (await store.mailboxes(alice)).find(({ name }) => name === 'INBOX');
    const { results } = await store.commit([
      { op: 'append', mailbox: inbox?.id as never, ...message('after') },
      { op: 'putRecord', space: 'scripts', key: 'c', value: octets('again') },
      { op: 'putRecord', space: 'scripts', key: 'carol', value: octets('again') },
    ]);
    assert.equal(results[0]?.uid, inbox?.uidNext);
    assert.equal(results[1]?.version, 2);
    assert.equal(results[2]?.version, 2);
  }
});
