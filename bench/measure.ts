/** Runs the scenarios in alternating rounds and keeps every line that the generators print. */
import { measure } from './big-mailbox.ts';
import { writeCorpus } from './corpus.ts';
import { delivered } from './imap-client.ts';
import { isWrong, load, type Line } from './load.ts';
import { fillByCopying, mailboxes, type MailboxName } from './mailboxes.ts';
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
  // Those that start ours anew come last: a server runs for weeks, and is not compiled anew for each mail.
  for (const late of [false, true]) {
    const scenarios = plan.scenarios.filter(({ fresh = false }) => fresh === late);
    await measureRounds(sides, { ...plan, scenarios }, run);
  }
}

async function measureRounds(
  sides: readonly Side[],
  { rounds, scenarios }: Plan,
  run: ReturnType<typeof createRunner>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const scenario of scenarios) {
      // Reversed every other round: a drift of the machine hits both alike.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        if (process.stderr.isTTY) {
          process.stderr.write(`\rround ${round + 1}: ${scenario.name}, ${side.name}\x1b[K`);
        }
        const lines = await run
          .once(side, scenario)
          .catch((error: unknown): Line[] =>
            scenario.rows.map(({ line }) => ({ scenario: line, error: String(error) })),
          );
        side.lines.push(...lines.map((line) => ({ ...line, of: scenario.name })));
      }
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

function createRunner({ scenarios, quick, alwaysFresh, root }: Plan) {
  const known = mailboxes(quick);
  const corpus = writeCorpus(root);
  const imapLoad = (
    side: Side,
    {
      syncedFlags,
      mailbox = 'bench',
      load: given,
    }: Pick<Scenario, 'syncedFlags' | 'mailbox' | 'load'>,
  ) => {
    const { user, name, messages } = known[mailbox];
    return load('imap-load', {
      port: syncedFlags ? side.syncedImap : side.imap,
      user,
      pass: 'secret',
      corpus,
      box: name,
      n: messages,
      idle: 500,
      reps: 2,
      pid: side.pids.join(','),
      ...given,
    });
  };

  return {
    /** The mailboxes that the scenarios read and none of them makes. */
    async fill(side: Side): Promise<void> {
      const needed = new Set<MailboxName>();
      for (const { kind, mailbox = 'bench' } of scenarios)
        if (kind !== 'delivery') needed.add(mailbox);
      for (const { makes } of scenarios) if (makes) needed.delete(makes);
      for (const mailbox of needed) {
        if (mailbox === 'big') await fillByCopying(side.imap, known.big);
        else {
          const lines = await imapLoad(side, { mailbox, load: { scenario: 'append', conns: 32 } });
          const wrong = lines.find(isWrong);
          if (wrong) throw new Error(`${side.name} could not be filled: ${JSON.stringify(wrong)}`);
        }
      }
    },

    async once(side: Side, scenario: Scenario): Promise<Line[]> {
      if (scenario.fresh || alwaysFresh) await side.restart?.();
      if (scenario.kind === 'imap') return imapLoad(side, scenario);
      if (scenario.kind === 'delivery') return deliver(side, scenario);
      return [await measure(side.imap, side.pids, known.big)];
    },
  };
}

/** A run over SMTP or LMTP; it counts only if as many messages as were accepted are in the mailboxes afterwards. */
async function deliver(side: Side, { load: given }: Scenario): Promise<Line[]> {
  const { lmtp } = given;
  const before = await delivered(side.imap);
  const lines = await load('smtp-load', {
    ...given,
    port: lmtp ? side.lmtp : side.smtp,
    pid: side.pids.join(','),
    ...(!lmtp && side.queue && { drain: side.queue.join(',') }),
  });
  const arrived = (await delivered(side.imap)) - before;
  const error =
    arrived === given['messages']
      ? undefined
      : `${arrived} of ${given['messages']} messages are in the mailboxes`;
  return lines.map((line) => ({ ...line, ...(error !== undefined && { error }) }));
}
