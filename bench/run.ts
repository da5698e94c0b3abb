/**
 * `npm run bench`: ours beside Dovecot and Postfix, on loopback, in alternating rounds; one table of ratios.
 *
 *   npm run bench -- [--quick] [--only NAME,NAME] [--rounds 3] [--formats sdbox,maildir] [--profile DIR] [--keep]
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingGenerators } from './load.ts';
import { measureAll, type Side } from './measure.ts';
import { startOurs } from './ours/start.ts';
import { isFormat, startDovecot, type Format } from './peers/dovecot.ts';
import { startPostfix } from './peers/postfix.ts';
import { missing } from './peers/users.ts';
import { endAll } from './processes.ts';
import { scenarios } from './scenarios.ts';
import { missingStrace, syncs } from './syncs.ts';
import { compare, print } from './table.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    formats: { type: 'string', default: 'sdbox,maildir' },
    profile: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const known = scenarios(options.quick);
const wanted = options.only?.split(',') ?? known.map(({ name }) => name);
const chosen = known.filter(({ name }) => wanted.includes(name));
const rounds = Number(options.rounds);
const formats = options.formats.split(',').filter((name): name is Format => isFormat(name));
const why =
  missingGenerators() ??
  missing() ??
  (chosen.length < wanted.length
    ? `--only takes some of ${known.map(({ name }) => name).join(',')}`
    : formats.length < options.formats.split(',').length
      ? '--formats takes sdbox, maildir or both'
      : rounds >= 1
        ? undefined
        : '--rounds has to be 1 or more');
if (why !== undefined) {
  console.error(`bench: ${why}`);
  process.exit(1);
}

const root = mkdtempSync(join(tmpdir(), 'mail-kit-bench-'));
// Dovecot's processes run as another user and have to get in.
chmodSync(root, 0o755);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().then(() => process.exit(1)));
}
try {
  process.exitCode = (await bench()) ? 0 : 1;
} finally {
  await cleanUp();
}

async function bench(): Promise<boolean> {
  const { sides, how } = await startAll();
  console.log(`ours: ${how}`);
  console.log(`peers: Debian's Postfix and Dovecot, ${formats.join(' and ')}`);
  console.log('no TLS anywhere; mail_fsync = always where flags are changed or messages removed\n');
  if (options.only === undefined) await tellSyncs(sides);
  const started = performance.now();
  await measureAll(sides, {
    scenarios: chosen,
    rounds,
    quick: options.quick,
    alwaysFresh: options.profile !== undefined,
    root,
  });
  const [ours, ...peers] = sides;
  const results = chosen.flatMap(({ name, rows }) =>
    rows.map((row) => compare(name, row, ours, peers)),
  );
  console.log(print(results, peers));
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(
    `\nx: ours / peer, medians of ${rounds} rounds (${minutes} minutes); cpu: the same of the CPU time of the server;`,
  );
  console.log(
    'spread: (max - min) / median of the side where it is largest; below: worse than wanted',
  );
  return results.every((result) => result.error === undefined);
}

async function startAll(): Promise<{ sides: [ours: Side, ...peers: Side[]]; how: string }> {
  const ours = await startOurs({ root, profile: options.profile });
  const peers = [];
  for (const format of formats) peers.push(await startPeer(format));
  const { smtp, lmtp, imap, how } = ours;
  const side: Side = {
    name: 'ours',
    get pids() {
      return [ours.pid];
    },
    smtp,
    lmtp,
    imap,
    syncedImap: imap,
    lines: [],
    restart: () => ours.restart(),
  };
  return { sides: [side, ...peers], how };
}

/** Postfix in front of Dovecot; a second Dovecot over the same mail syncs flags and expunges too. */
async function startPeer(format: Format): Promise<Side> {
  const dovecot = await startDovecot({ root, format, fsync: 'optimized' });
  const synced = await startDovecot({ root, format, fsync: 'always' });
  const postfix = await startPostfix(root, format, dovecot.lmtp);
  return {
    name: format,
    pids: [dovecot.pid, synced.pid, postfix.pid],
    smtp: postfix.smtp,
    lmtp: dovecot.lmtp,
    imap: dovecot.imap,
    syncedImap: synced.imap,
    queue: postfix.queue,
    lines: [],
  };
}

async function tellSyncs(sides: readonly Side[]): Promise<void> {
  const reason = missingStrace();
  if (reason !== undefined) return console.log(`what 250 and OK promise: not checked, ${reason}\n`);
  console.log('what 250 and OK promise (calls that reach the disk, one client, one at a time):');
  for (const side of sides) console.log(`  ${side.name}: ${(await syncs(side)).join(', ')}`);
  console.log('');
}

async function cleanUp(): Promise<void> {
  await endAll();
  if (options.keep) console.log(`kept: ${root}`);
  else rmSync(root, { recursive: true, force: true });
}
