import { expect, it } from 'vitest';
import { asId, type AccountId } from '@mail-server-kit/core';
import { createMemoryStore } from '@mail-server-kit/storage';
import { createMailboxNames } from './mailboxes.ts';

const anna = asId<AccountId>('anna');

it('a mailbox is found by name as it is now, and INBOX in place of one that is gone', async () => {
  const store = createMemoryStore();
  await store.commit([{ op: 'createAccount', account: anna }]);
  const names = createMailboxNames(store);
  const inbox = await names.find(anna, undefined);
  expect(await names.find(anna, 'Lists')).toBe(inbox);

  const { results } = await store.commit([{ op: 'createMailbox', account: anna, name: 'Lists' }]);
  const lists = results[0]!.mailbox!;
  expect(await names.find(anna, 'Lists')).toBe(lists);

  await store.commit([{ op: 'renameMailbox', mailbox: lists, name: 'Old' }]);
  expect(await names.find(anna, 'Lists')).toBe(inbox);
  expect(await names.find(anna, 'Old')).toBe(lists);

  await store.commit([{ op: 'deleteMailbox', mailbox: lists }]);
  expect(await names.find(anna, 'Old')).toBe(inbox);
  await expect(names.find(asId<AccountId>('nobody'), undefined)).rejects.toThrow();
  names.close();
});
