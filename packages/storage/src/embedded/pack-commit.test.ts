import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import type { AccountId, MailboxId, ModSeq, Uid } from '@mail-server-kit/core';
import type { Delta } from '../state/delta.ts';
import { packCommit, unpackCommit } from './pack-commit.ts';
import { Packer, Unpacker } from './pack.ts';

const anna = 'anna' as AccountId;
const ben = 'ben' as AccountId;

const expunge = (account: AccountId, uid: number): Delta => ({
  kind: 'expunge',
  account,
  mailbox: `${account}1` as MailboxId,
  modSeq: 7 as ModSeq,
  uids: [[uid as Uid, uid as Uid]],
});
const counters: Delta = { kind: 'counters', uidValidity: 1, mailbox: 2, email: 300 };
const gone: Delta = { kind: 'recordGone', space: 'sieve', key: 'active', version: 3 };

function roundTrip(commit: Parameters<typeof packCommit>[1]) {
  const to = new Packer();
  packCommit(to, commit);
  return unpackCommit(new Unpacker(to.bytes), 2);
}

describe('the payload of a commit', () => {
  it('keeps the order of changes that several accounts and the store itself have', () => {
    const deltas = [
      counters,
      expunge(anna, 1),
      expunge(anna, 2),
      expunge(ben, 3),
      gone,
      { ...gone, account: anna },
      { kind: 'accountGone', account: anna } as const,
    ];
    const commit = { at: 1e12, deltas, results: [] };
    assert.deepEqual(roundTrip(commit), commit);
  });

  it('keeps id and results, also of a commit that changes nothing', () => {
    for (const deltas of [[], [counters], [counters, expunge(ben, 1)]]) {
      const commit = { at: 5, id: 'queue 1', results: [{ version: 2 }], deltas };
      assert.deepEqual(roundTrip(commit), commit);
    }
  });

  it('of version 1, without sections, is read', () => {
    const to = new Packer();
    to.f64(1e12);
    to.u8(1);
    to.text('queue 1');
    to.text('[{"version":2}]');
    to.varint(2);
    to.u8(1);
    for (const number of [1, 2, 300]) to.varint(number);
    to.u8(12);
    to.text('sieve');
    to.text('active');
    to.varint(3);
    to.u8(0);
    assert.deepEqual(unpackCommit(new Unpacker(to.bytes), 1), {
      at: 1e12,
      id: 'queue 1',
      results: [{ version: 2 }],
      deltas: [counters, gone],
    });
  });
});
