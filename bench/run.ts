/**
 * `npm run bench`: ours beside Dovecot and Postfix, on loopback, in alternating rounds; one table of ratios.
 *
 *   npm run bench -- [--quick] [--only NAME,NAME] [--rounds 3] [--dovecot-fsync optimized] [--profile DIR] [--keep]
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fill, measure } from './big-mailbox.ts';
import { writeCorpus } from './corpus.ts';
import { delivered } from './imap-client.ts';
import { load, missingGenerators, type Line } from './load.ts';
import { startOurs } from './ours/start.ts';
import { startDovecot, type DovecotOptions } from './peers/dovecot.ts';
import { startPostfix } from './peers/postfix.ts';
import { missing } from './peers/users.ts';
import type { Running } from './processes.ts';
import { scenarios, type Scenario } from './scenarios.ts';
import { missingStrace, syncs, type Target } from './syncs.ts';
import { compare, print } from './table.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    'dovecot-fsync': { type: 'string', default: 'optimized' },
    profile: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

interface Side extends Target {
  readonly lines: Line[];
  /** Starts it anew over the same data, where that makes a difference to what it holds in memory. */
  readonly restart?: () => Promise<void>;
}

const known = scenarios(options.quick);
const wanted = options.only?.split(',') ?? known.map(({ name }) => name);
const strange = wanted.filter((name) => !known.some((scenario) => scenario.name === name));
const rounds = Number(options.rounds);
const why =
  missingGenerators() ??
  missing() ??
  (strange.length > 0
    ? `no scenario ${strange.join(', ')}; there are ${known.map(({ name }) => name).join(', ')}`
    : !(rounds >= 1)
      ? '--rounds has to be 1 or more'
      : !['optimized', 'always', 'never'].includes(options['dovecot-fsync'])
        ? '--dovecot-fsync is optimized, always or never'
        : undefined);
if (why !== undefined) {
  console.error(`bench: ${why}`);
  process.exit(1);
}

const root = mkdtempSync(join(tmpdir(), 'mail-kit-bench-'));
// Dovecot's processes run as another user and have to get in.
chmodSync(root, 0o755);
const running: Running[] = [];
let ending: Promise<void> | undefined;
const end = () => (ending ??= cleanUp());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void end().then(() => process.exit(1)));
}
try {
  process.exitCode = (await bench()) ? 0 : 1;
} finally {
  await end();
}

async function bench(): Promise<boolean> {
  const ours = await startOurs({ root, profile: options.profile });
  running.push(ours);
  const dovecot = await startDovecot({
    root,
    fsync: options['dovecot-fsync'] as DovecotOptions['fsync'],
  });
  running.push(dovecot);
  const postfix = await startPostfix(root, dovecot.lmtp);
  running.push(postfix);
  console.log(
    `ours: ${ours.how}\npeers: Debian's Dovecot (sdbox, mail_fsync ${options['dovecot-fsync']}) and Postfix, no TLS\n`,
  );

  const sides: Side[] = [
    {
      name: 'ours',
      get pids() {
        return ours.pids;
      },
      smtp: ours.smtp,
      lmtp: ours.lmtp,
      imap: ours.imap,
      lines: [],
      restart: () => ours.restart(),
    },
    {
      name: 'peer',
      pids: [...dovecot.pids, ...postfix.pids],
      smtp: postfix.smtp,
      lmtp: dovecot.lmtp,
      imap: dovecot.imap,
      queue: postfix.queue,
      lines: [],
    },
  ];
  if (options.only === undefined) await tellSyncs(sides);
  await measureAll(sides);
  const [mine, yours] = sides as [Side, Side];
  const results = wanted
    .flatMap((name) => known.find((scenario) => scenario.name === name)!.rows)
    .map((row) => compare(row, mine, yours));
  console.log(print(results, 'peer'));
  console.log(`\nratio: ours / peer, medians of ${rounds} rounds; "below": worse than wanted`);
  return results.every((result) => result.error === undefined);
}

async function tellSyncs(sides: readonly Side[]): Promise<void> {
  const reason = missingStrace();
  if (reason !== undefined) return console.log(`what OK promises: not checked, ${reason}\n`);
  console.log('what 250 and OK promise (fsync and fdatasync calls, one client, one at a time):');
  for (const side of sides) console.log(`  ${side.name}: ${(await syncs(side)).join(', ')}`);
  console.log('');
}

async function measureAll(sides: readonly Side[]): Promise<void> {
  const corpus = writeCorpus(root);
  const messages = options.quick ? 2000 : 10_000;
  const big = options.quick ? 10_000 : 100_000;
  const scenariosWanted = known.filter(({ name }) => wanted.includes(name));
  const imapOptions = (side: Side) => ({
    port: side.imap,
    user: 'bench@example.test',
    pass: 'secret',
    corpus,
    n: messages,
    idle: options.quick ? 100 : 500,
    reps: options.quick ? 1 : 3,
    pid: side.pids.join(','),
  });
  const needs = (kind: Scenario['kind']) => scenariosWanted.some((found) => found.kind === kind);
  if (needs('imap') && !wanted.includes('append')) {
    for (const side of sides) {
      const filled = await load('imap-load', { ...imapOptions(side), scenario: 'append' });
      const wrong = filled.find((line) => line.error !== undefined);
      if (wrong) throw new Error(`${side.name} could not be filled: ${JSON.stringify(wrong)}`);
    }
  }
  if (needs('big mailbox')) for (const side of sides) await fill(side.imap, big);

  const once = async (side: Side, scenario: Scenario): Promise<Line[]> => {
    if (scenario.kind === 'imap') {
      return load('imap-load', { ...imapOptions(side), ...scenario.load });
    }
    if (scenario.kind === 'big mailbox') {
      await side.restart?.();
      return [await measure(side.imap, side.pids, big)];
    }
    return deliver(side, scenario);
  };
  for (let round = 0; round < rounds; round++) {
    for (const scenario of scenariosWanted) {
      // Reversed every other round: a drift of the machine hits both alike.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        process.stderr.write(`round ${round + 1}, ${scenario.name}, ${side.name}          \r`);
        const lines = await once(side, scenario).catch((error: unknown) =>
          scenario.rows.map(({ line }) => ({ scenario: line, error: String(error) })),
        );
        side.lines.push(...lines);
      }
    }
  }
}

/** A run over SMTP or LMTP; it counts only if as many messages as were accepted are in the mailboxes afterwards. */
async function deliver(side: Side, { name, kind, load: given }: Scenario): Promise<Line[]> {
  const before = await delivered(side.imap);
  const lines = await load('smtp-load', {
    ...given,
    port: kind === 'lmtp' ? side.lmtp : side.smtp,
    pid: side.pids.join(','),
    ...(kind === 'lmtp' && { lmtp: true }),
    ...(kind === 'smtp' && side.queue && { drain: side.queue.join(',') }),
  });
  const arrived = (await delivered(side.imap)) - before;
  const error =
    arrived === given['messages']
      ? undefined
      : `${arrived} of ${given['messages']} messages are in the mailboxes`;
  // The generator calls every run over SMTP the same.
  return lines.map((line) => ({ ...line, scenario: name, ...(error !== undefined && { error }) }));
}

async function cleanUp(): Promise<void> {
  for (const server of running.reverse()) await server.stop();
  if (options.keep) console.log(`kept: ${root}`);
  else rmSync(root, { recursive: true, force: true });
}
