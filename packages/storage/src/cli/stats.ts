/** How much there is, and what it takes on the disk. */
import fs from 'node:fs';
import path from 'node:path';
import { accountsOf, looking, type Command } from './command.ts';
import { inUnits, printTable } from './output.ts';

export const stats: Command = {
  name: 'stats',
  usage: 'stats',
  help: 'how much there is, and what it takes on the disk',

  run: (invocation) =>
    looking(invocation, async (store) => {
      const { directory, json } = invocation;
      let mailboxes = 0;
      let messages = 0;
      let octets = 0;
      const accounts = await accountsOf(store);
      for (const { id } of accounts) {
        const { used } = await store.usage(id);
        mailboxes += used.mailboxes;
        messages += used.messages;
        octets += used.octets;
      }
      let records = 0;
      for (const { cells } of store.world.spaces.values()) records += cells.size;
      const disk = fs
        .readdirSync(directory, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => [name, octetsBelow(path.join(directory, name))] as const);
      const size = (value: number) => (json ? value : inUnits(value));
      printTable(
        invocation,
        ['what', 'how much'],
        [
          ['accounts', accounts.length],
          ['mailboxes', mailboxes],
          ['messages', messages],
          ['records', records],
          ['octets, as quotas count them', size(octets)],
          ['log sequence number', store.journal.end.lsn],
          ...disk.map(([name, value]) => [`${name}/ on the disk`, size(value)] as const),
        ],
      );
      return true;
    }),
};

function octetsBelow(directory: string): number {
  let octets = 0;
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // A running server may have removed it since it was listed.
    const stat = fs.statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    octets += stat?.size ?? 0;
  }
  return octets;
}
