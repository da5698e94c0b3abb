/** Runs the scenarios in alternating rounds and keeps every line that the generators print. */
import { fill, measure } from './big-mailbox.ts';
import { writeCorpus } from './corpus.ts';
import { delivered } from './imap-client.ts';
import { isWrong, load, type Line } from './load.ts';
import type { Scenario } from './scenarios.ts';
import type { Target } from './syncs.ts';

export interface Side extends Target {
  readonly lines: Line[];
  /** Starts it anew over the same data, where that makes a difference to what it holds in memory. */
  readonly restart?: () => Promise<void>;
}

export interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly quick: boolean;
  /** Every scenario finds ours started anew: each then has CPU profiles of its own. */
  readonly alwaysFresh: boolean;
  /** A folder for the corpus. */
  readonly root: string;
}

export async function measureAll(sides: readonly Side[], plan: Plan): Promise<void> {
  const run = createRunner(plan);
  for (const side of sides) await run.fill(side);
  for (let round = 0; round < plan.rounds; round++) {
    for (const scenario of plan.scenarios) {
      // Reversed every other round: a drift of the machine hits both alike.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        if (process.stderr.isTTY) {
          process.stderr.write(`\rround ${round + 1}: ${scenario.name}, ${side.name}\x1b[K`);
        }
        const lines = await run
          .once(side, scenario)
          .catch((error: unknown) =>
            scenario.rows.map(({ line }) => ({ scenario: line, error: String(error) })),
          );
        side.lines.push(...lines);
      }
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

function createRunner({ scenarios, quick, alwaysFresh, root }: Plan) {
  const big = quick ? 10_000 : 100_000;
  const corpus = writeCorpus(root);
  const imapLoad = (
    side: Side,
    { syncedFlags, load: given }: Pick<Scenario, 'syncedFlags' | 'load'>,
  ) =>
    load('imap-load', {
      port: syncedFlags ? side.syncedImap : side.imap,
      user: 'bench@example.test',
      pass: 'secret',
      corpus,
      n: quick ? 2000 : 10_000,
      idle: 500,
      reps: quick ? 2 : 3,
      pid: side.pids.join(','),
      ...given,
    });

  return {
    /** The mailboxes that the scenarios read, each of which may be the only one that is run. */
    async fill(side: Side): Promise<void> {
      const needs = scenarios.filter(({ kind }) => kind === 'imap');
      for (const synced of new Set(needs.map(({ syncedFlags = false }) => syncedFlags))) {
        const append = { ...(synced && { syncedFlags: synced }), load: { scenario: 'append' } };
        const wrong = (await imapLoad(side, append)).find(isWrong);
        if (wrong) throw new Error(`${side.name} could not be filled: ${JSON.stringify(wrong)}`);
      }
      if (scenarios.some(({ kind }) => kind === 'big mailbox')) await fill(side.imap, big);
    },

    async once(side: Side, scenario: Scenario): Promise<Line[]> {
      if (scenario.fresh || alwaysFresh) await side.restart?.();
      if (scenario.kind === 'imap') return imapLoad(side, scenario);
      if (scenario.kind !== 'big mailbox') return deliver(side, scenario);
      return [await measure(side.imap, side.pids, big)];
    },
  };
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
