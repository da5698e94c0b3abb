/**
 * What 250 and OK promise, as the system sees it: how often a server asks the disk to keep what was written, while one
 * client hands in messages or changes one after the other.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapClient } from './imap-client.ts';
import { load } from './load.ts';
import { descendants } from './processes.ts';

export interface Target {
  readonly name: string;
  readonly pids: readonly number[];
  readonly smtp: number;
  readonly lmtp: number;
  readonly imap: number;
  /** Port of an IMAP server that syncs flags. */
  readonly syncedImap: number;
  readonly queue?: readonly string[];
}

const count = 20;

/** Why it cannot be told here, or undefined. */
export function missingStrace(): string | undefined {
  const probe = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']);
  return probe.status === 0 ? undefined : 'strace is not installed or not allowed';
}

/** Lines such as `SMTP, a message: 1.0 syncs`. */
export async function syncs(target: Target): Promise<string[]> {
  const deliver = (port: number, lmtp: boolean) => async () => {
    await load('smtp-load', {
      port,
      conns: 1,
      messages: count,
      size: 20_000,
      ...(lmtp && { lmtp: true }),
      ...(!lmtp && target.queue && { drain: target.queue.join(',') }),
    });
  };
  const body = 'Subject: synced?\r\n\r\nText.\r\n';
  const append = (client: ImapClient) => async () => {
    for (let i = 0; i < count; i++) {
      await client.command(`APPEND sync {${body.length}+}\r\n${body}`);
    }
  };
  const store = (client: ImapClient) => async () => {
    for (let i = 1; i <= count; i++) await client.command(`STORE ${i} +FLAGS.SILENT (\\Flagged)`);
  };
  const [appending, storing] = (await Promise.all(
    [target.imap, target.syncedImap].map(async (port) => {
      const client = await ImapClient.login(port, 'sync@example.test');
      await client.command('CREATE sync').catch(() => {});
      return client;
    }),
  )) as [ImapClient, ImapClient];
  await append(storing)();
  await storing.command('SELECT sync');
  const works: [string, () => Promise<void>][] = [
    ['SMTP, a message', deliver(target.smtp, false)],
    ['LMTP, a message', deliver(target.lmtp, true)],
    ['APPEND', append(appending)],
    ['STORE', store(storing)],
  ];
  const told: string[] = [];
  for (const [title, work] of works) {
    const calls = await counted(target.pids, work);
    told.push(`${title}: ${(calls / count).toFixed(1)} syncs`);
  }
  appending.close();
  storing.close();
  return told;
}

async function counted(pids: readonly number[], work: () => Promise<void>): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mail-kit-strace-'));
  const file = join(folder, 'calls');
  const attach = pids.flatMap(descendants).flatMap((pid) => ['-p', String(pid)]);
  const calls = 'trace=fsync,fdatasync,sync_file_range,syncfs,sync';
  const tracer = spawn('strace', ['-f', '-qq', '-e', calls, '-o', file, ...attach], {
    stdio: 'ignore',
  });
  const ended = once(tracer, 'exit');
  try {
    await sleep(1000);
    await work();
    await sleep(200);
  } finally {
    tracer.kill('SIGINT');
    await ended;
  }
  // A call that another thread interrupts takes two lines; the first of them has no result yet.
  const made = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => / = \d+$/.test(line));
  rmSync(folder, { recursive: true });
  return made.length;
}
