import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '@mail-server-kit/storage';
import { it } from 'vitest';
import { createAccounts } from './accounts.ts';
import { cheap } from './cheap.fixture.ts';

it('accounts in an EmbeddedStore are still there when it is opened again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'accounts-'));
  const imap = { protocol: 'imap', secure: true } as const;
  try {
    const store = await openEmbeddedStore(directory);
    const accounts = createAccounts({ store, hashing: cheap });
    await accounts.addDomain('example.org');
    const alice = await accounts.addAccount('alice@example.org', 'correct horse');
    await accounts.addAlias('info@example.org', 'alice@example.org');
    const madeUp = (await accounts.scram?.('nobody@example.org', imap))?.credentials;
    await accounts.close();
    await store.close();

    const reopened = await openEmbeddedStore(directory);
    const again = createAccounts({ store: reopened, hashing: cheap });
    assert.deepEqual(await again.login('alice@example.org', 'correct horse', imap), alice);
    assert.deepEqual(await again.resolve({ localPart: 'info', domain: 'example.org' }), {
      kind: 'routes',
      routes: [{ to: 'account', account: alice.id }],
    });
    assert.deepEqual((await again.scram?.('nobody@example.org', imap))?.credentials, madeUp);
    assert.equal((await reopened.mailboxes(alice.id)).length, 6);
    await again.close();
    await reopened.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});
