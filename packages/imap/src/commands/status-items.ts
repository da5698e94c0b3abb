/** What STATUS can tell (RFC 9051 section 6.3.11; RECENT: RFC 3501 section 6.3.10). */
import { lowerBound } from '@mail-server-kit/core';
import type { StatusItem } from '../extension.ts';

export const statusItems: readonly StatusItem[] = [
  { name: 'MESSAGES', value: (info) => info.messages },
  { name: 'UIDNEXT', value: (info) => info.uidNext },
  { name: 'UIDVALIDITY', value: (info) => info.uidValidity },
  { name: 'UNSEEN', value: (info) => info.unseen },
  { name: 'DELETED', value: (info) => info.deleted },
  { name: 'SIZE', value: (info) => info.octets },
  {
    name: 'RECENT',
    async value(info, { store, wiring }) {
      const snapshot = await store.open(info.id);
      const first = wiring.recent.firstOf(snapshot, false);
      let count = 0;
      for (const block of snapshot.blocks) {
        if (block.lastUid < first) continue;
        count += block.length;
        if (block.firstUid < first) count -= lowerBound(block.uid, first);
      }
      return count;
    },
  },
];
