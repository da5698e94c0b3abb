import assert from 'node:assert/strict';
import { asId, type MailStore, type MailboxId } from '@mail-server-kit/core';
import { fakeDisk } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { alice, fails, message } from './contract/given.ts';
import { openOn } from './fixtures/disk-store.ts';
import { createMemoryStore } from './memory.ts';

const MAX = 300_000;
const stores: Record<string, () => Promise<MailStore>> = {
  MemoryStore: async () => createMemoryStore({ maxStagedOctets: MAX }),
  EmbeddedStore: () => openOn(fakeDisk(), { maxStagedOctets: MAX }),
};

/** Stages pieces of so many octets until it is told to stop; returns how much it got. */
async function fillUp(store: MailStore, owner: string, octets: number): Promise<number> {
  for (let staged = 0; ; staged += octets) {
    try {
      await store.stage([new Uint8Array(octets)], { owner });
    } catch {
      return staged;
    }
  }
}

for (const [name, open] of Object.entries(stores)) {
  describe(`room for what is received, of ${name}`, () => {
    // Some ride in the commit, others are on the disk by now.
    for (const octets of [1000, 70_000]) {
      it(`is not used up by those who stage and never commit (${octets} octets each)`, async () => {
        const store = await open();
        const got: number[] = [];
        for (const owner of ['a', 'b', 'c']) got.push(await fillUp(store, owner, octets));
        // Half of all, then half of what is left, and so on.
        got.forEach((each, i) => assert.ok(each <= MAX / 2 ** (i + 1)));
        assert.ok((got[0] as number) > MAX / 2 - octets - 1);
        assert.equal((await store.stage([new Uint8Array(15_000)], { owner: 'd' })).size, 15_000);
        // Not what others have, but what it has itself keeps one out.
        await fails(store.stage([new Uint8Array(octets)], { owner: 'a' }), 'LIMIT');
        await store.close();
      });
    }

    it('is there again after a discard, an error and a commit', async () => {
      const store = await open();
      const { results } = await store.commit([{ op: 'createAccount', account: alice }]);
      const mailbox = results[0]?.mailbox as MailboxId;
      const half = [new Uint8Array(MAX / 2)];
      for (let i = 0; i < 3; i++) {
        const { stage } = await store.stage(half, { owner: 'a' });
        await fails(store.stage([new Uint8Array(1)], { owner: 'a' }), 'LIMIT');
        if (i === 0) await store.discard(stage);
        else {
          const gone = { op: 'append' as const, mailbox: asId<MailboxId>('gone') };
          await fails(store.commit([{ ...gone, ...message([{ stage }]) }]), 'NONEXISTENT', 0);
          await store.commit([{ op: 'append', mailbox, ...message([{ stage }]) }]);
        }
        await fails(store.stage([...half, ...half], { owner: 'a' }), 'LIMIT');
      }
      await store.close();
    });

    it('is counted while octets arrive, and refused at once to what is announced too large', async () => {
      const store = await open();
      let stop = () => {};
      const stopped = new Promise<void>((resolve) => (stop = resolve));
      async function* slow() {
        yield new Uint8Array(MAX / 3);
        await stopped;
      }
      const arriving = store.stage(slow(), { owner: 'a' });
      await new Promise(setImmediate);
      const again = new Uint8Array(MAX / 3);
      await fails(store.stage([again], { owner: 'a' }), 'LIMIT');
      function* never(): Generator<Uint8Array> {
        yield assert.fail('it was read');
      }
      const announced = { owner: 'b', sizeHint: MAX / 2 };
      await fails(store.stage(never(), announced), 'LIMIT');
      stop();
      await arriving;
      await store.close();
    });
  });
}
