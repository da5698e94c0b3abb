/** Memory of a mailbox of many messages: the server's before and after a client has selected and listed it. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapClient } from './imap-client.ts';
import type { Line } from './load.ts';
import type { Mailbox } from './mailboxes.ts';
import { descendants } from './processes.ts';

/** The server must have been started anew, so that nothing of the mailbox is in its memory yet. */
export async function measure(
  port: number,
  pids: readonly number[],
  { user, name, messages }: Mailbox,
): Promise<Line> {
  const client = await ImapClient.login(port, user);
  await sleep(1500);
  const before = memory(pids);
  const started = performance.now();
  await client.command(`SELECT ${name}`);
  const listed = await client.command('FETCH 1:* (UID FLAGS)');
  const ms = performance.now() - started;
  const responses = listed.split(' FETCH (').length - 1;
  await sleep(2500);
  const after = memory(pids);
  client.close();
  return {
    scenario: 'big mailbox',
    mailboxKiB: after - before,
    serverKiB: after,
    perSecond: (messages / ms) * 1000,
    ...(responses !== messages && { error: `${responses} FETCH responses, expected ${messages}` }),
  };
}

/** KiB of all processes of the trees; pages that several share are counted once (PSS). */
function memory(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids.flatMap(descendants)) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      sum += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}
