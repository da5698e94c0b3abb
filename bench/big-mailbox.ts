/** Memory of a mailbox of many messages: the server's before and after a client has selected and listed it. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapClient } from './imap-client.ts';
import type { Line } from './load.ts';
import { descendants } from './processes.ts';

const user = 'big@example.test';

/** Fills the mailbox of `big@example.test`: 1,000 small messages by APPEND, the others as copies of them. */
export async function fill(port: number, count: number): Promise<void> {
  const client = await ImapClient.login(port, user);
  await client.command('CREATE big');
  const body = `From: a@peer.test\r\nTo: ${user}\r\nSubject: one of many\r\n\r\nText.\r\n`;
  const first = Math.min(1000, count);
  for (let i = 0; i < first; i++) {
    await client.command(`APPEND big {${body.length}+}\r\n${body}`);
  }
  await client.command('SELECT big');
  for (let have = first; have < count;) {
    const more = Math.min(have, count - have);
    await client.command(`COPY 1:${more} big`);
    have += more;
    await client.command('NOOP');
  }
  const have = await client.messages('big');
  client.close();
  if (have !== count) throw new Error(`the big mailbox has ${have} messages, not ${count}`);
}

/** The server must have been started anew, so that nothing of the mailbox is in its memory yet. */
export async function measure(port: number, pids: readonly number[], count: number): Promise<Line> {
  const client = await ImapClient.login(port, user);
  await sleep(1500);
  const before = memory(pids);
  const started = performance.now();
  await client.command('SELECT big');
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
    perSecond: (count / ms) * 1000,
    ...(responses !== count && { error: `${responses} FETCH responses, expected ${count}` }),
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
