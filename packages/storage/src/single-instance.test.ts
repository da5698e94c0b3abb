/** One delivery to many stores one body: the journal grows by it once. */
import assert from 'node:assert/strict';
import { asId, silent, type AccountId, type MailboxId } from '@mail-server-kit/core';
import { fakeDisk } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { collect, message, octets } from './contract/given.ts';
import { openJournalStore } from './embedded/engine.ts';
import { JournalWriter } from './embedded/journal-writer.js';
import { InlineLink } from './embedded/link.ts';
import { withDefaults } from './embedded/store.ts';

const RECIPIENTS = 200;

describe('a delivery to 200 recipients', () => {
  // One that rides in the commit, and one that went into the journal as chunks.
  for (const size of [60_000, 600_000]) {
    it(`stores one body of ${size} octets`, async () => {
      const disk = fakeDisk();
      const store = await openJournalStore({
        ...withDefaults({ segmentOctets: 2_097_152 }),
        disk,
        link: (about) => new InlineLink(new JournalWriter(disk, about), silent),
      });
      const accounts = Array.from({ length: RECIPIENTS }, (_, i) => asId<AccountId>(`r${i}`));
      const { results } = await store.commit(
        accounts.map((account) => ({ op: 'createAccount' as const, account })),
      );
      const inboxes = results.map(({ mailbox }) => mailbox as MailboxId);
      const before = store.journal.appended;
      const body = Buffer.alloc(size, 'body ');
      const { stage } = await store.stage([body]);
      await store.commit(
        inboxes.map((mailbox, i) => {
          // Trace headers differ, as they do in a real delivery.
          const trace = octets(`Delivered-To: r${i}@example.org\r\n`);
          return { op: 'append' as const, mailbox, ...message([trace, { stage }]) };
        }),
      );
      const grown = store.journal.appended - before;
      assert.ok(grown >= size);
      assert.ok(grown < size + RECIPIENTS * 600, `${grown} octets for a body of ${size}`);
      const snapshot = await store.open(inboxes[7] as MailboxId);
      const uid = snapshot.blocks[0]?.firstUid;
      assert.ok(uid !== undefined);
      const read = await collect(store.read({ snapshot, uid }));
      assert.equal(read, `Delivered-To: r7@example.org\r\n${body.toString()}`);
      await store.close();
    });
  }
});
