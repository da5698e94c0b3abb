/** Whatever is written: what is counted is what is there, and what was within a limit stays within it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  isMailError,
  type MailStore,
  type MailboxId,
  type MailboxInfo,
  type Uid,
  type UidRanges,
  type Write,
} from '@mail-server-kit/core';
import { fakeDisk } from '@mail-server-kit/core/testing';
import { alice, bob, message } from './contract/given.ts';
import { countedUse } from './contract/quotas.ts';
import { openOn } from './fixtures/disk-store.ts';
import { createMemoryStore } from './memory.ts';

/** Mailboxes are named by their place in the list of all that are there now. */
type Step = (mailbox: (n: number) => MailboxId, n: number) => Write;

const which = fc.nat(7);
const uid = fc.integer({ min: 1, max: 9 });
const ranges = fc
  .tuple(uid, fc.nat(4))
  .map(([from, more]): UidRanges => [[from as Uid, (from + more) as Uid]]);
const size = fc.nat(60);
const limit = fc.option(fc.nat(200));
const text = (length: number) => message('x'.repeat(length));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(which, size).map(append) },
  fc
    .tuple(fc.constantFrom('copy', 'move'), which, ranges, which)
    .map(([op, from, uids, to]): Step => (at) => ({
      op: op as 'copy' | 'move',
      mailbox: at(from),
      uids,
      to: at(to),
    })),
  fc
    .tuple(which, ranges)
    .map(([from, uids]): Step => (at) => ({ op: 'expunge', mailbox: at(from), uids })),
  fc.tuple(which, uid, which, size).map(([from, each, to, length]): Step => (at) => ({
    ...{ op: 'replace', mailbox: at(from), uid: each as Uid, to: at(to) },
    ...text(length),
  })),
  fc.tuple(which, limit, limit).map(([where, most, count]): Step => (at) => ({
    op: 'setMailbox',
    mailbox: at(where),
    limits: { octets: most, messages: count },
  })),
  which.map((where): Step => (at, n) => ({
    op: 'renameMailbox',
    mailbox: at(where),
    name: `renamed ${n}`,
  })),
  which.map((where): Step => (at) => ({ op: 'deleteMailbox', mailbox: at(where) })),
  fc
    .constantFrom(alice, bob)
    .map((account): Step => (_, n) => ({ op: 'createMailbox', account, name: `box ${n}` })),
  fc
    .tuple(fc.nat(2), size, fc.constantFrom(alice, bob))
    .map(([key, length, account]): Step => () => ({
      op: 'putRecord',
      space: 's',
      key: `k${key}`,
      value: new Uint8Array(length),
      account,
    })),
  fc.nat(2).map((key): Step => () => ({ op: 'deleteRecord', space: 's', key: `k${key}` })),
  fc
    .tuple(fc.constantFrom(alice, bob), fc.nat(600), fc.nat(20))
    .map(([account, most, count]): Step => () => ({
      op: 'setAccount',
      account,
      limits: { octets: most, messages: count, mailboxes: 5 },
    })),
);

function append([where, length]: [number, number]): Step {
  return (at) => ({ op: 'append', mailbox: at(where), ...text(length) });
}

const accounts = [alice, bob];

async function infosOf(store: MailStore): Promise<MailboxInfo[]> {
  const lists = await Promise.all(accounts.map((account) => store.mailboxes(account)));
  return lists.flat();
}

/** Octets of records by account, as the test has put them. */
class Records {
  readonly #there = new Map<string, { account: string; octets: number }>();

  take(write: Write): void {
    if (write.op === 'putRecord') {
      const { key, value, account = '' } = write;
      this.#there.set(key, { account, octets: value.length });
    } else if (write.op === 'deleteRecord') this.#there.delete(write.key);
  }

  octetsOf(account: string): number {
    const all = [...this.#there.values()].filter((record) => record.account === account);
    return all.reduce((sum, record) => sum + record.octets, 0);
  }
}

async function isCounted(store: MailStore, steps: readonly (readonly Step[])[]): Promise<void> {
  await store.commit(accounts.map((account) => ({ op: 'createAccount', account })));
  const records = new Records();
  let n = 0;
  for (const commit of steps) {
    const before = await infosOf(store);
    const at = (each: number) => (before[each % before.length] as MailboxInfo).id;
    const writes = commit.map((make) => make(at, n++));
    try {
      await store.commit(writes);
      writes.forEach((write) => records.take(write));
    } catch (error) {
      assert.ok(isMailError(error), String(error));
    }
    for (const account of accounts) {
      const counted = await countedUse(store, account);
      const sum = counted.octets + records.octetsOf(account);
      assert.deepEqual((await store.usage(account)).used, { ...counted, octets: sum });
    }
    // What was appended before the limit came is not bound by it.
    if (writes.some(({ op }) => op === 'setMailbox')) continue;
    for (const { id, octets: now, messages, limits } of await infosOf(store)) {
      const then = before.find((info) => info.id === id);
      assert.ok(now <= Math.max(limits.octets ?? Infinity, then?.octets ?? 0));
      assert.ok(messages <= Math.max(limits.messages ?? Infinity, then?.messages ?? 0));
    }
  }
}

describe('what is used', () => {
  const commits = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 25 });

  it('is the sum of what is there, in memory', async () => {
    await fc.assert(
      fc.asyncProperty(commits, async (steps) => {
        const store = createMemoryStore();
        await isCounted(store, steps);
        await store.close();
      }),
    );
  });

  it('is the sum of what is there, in a journal and after it was read again', async () => {
    await fc.assert(
      fc.asyncProperty(commits, async (steps) => {
        const disk = fakeDisk();
        const store = await openOn(disk);
        await isCounted(store, steps);
        const usage = () => Promise.all(accounts.map((account) => store.usage(account)));
        const used = await usage();
        await store.close();
        const again = await openOn(disk);
        assert.deepEqual(await Promise.all(accounts.map((each) => again.usage(each))), used);
        await again.close();
      }),
      { numRuns: 25 },
    );
  });
});
