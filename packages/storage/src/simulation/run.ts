/**
 * `npm run simulate -- --seeds N --from S`: one story of the simulation after the other. Ends with 1 if any differs, and
 * says how to see it again. `--trace` prints every operation of them.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});
const count = Number(values.seeds);
const from = Number(values.from);
if (!Number.isInteger(count) || !Number.isInteger(from) || count < 1) {
  console.error('usage: npm run simulate -- [--seeds N] [--from S] [--trace]');
  process.exit(2);
}

const started = performance.now();
const failed: number[] = [];
let commits = 0;
let told = started;
for (let seed = from; seed < from + count; seed++) {
  try {
    const report = await simulate(
      seed,
      values.trace ? { onTrace: (line) => console.log(line) } : {},
    );
    commits += report.commits;
  } catch (error) {
    failed.push(seed);
    console.log(`\n${error instanceof Error ? error.message : String(error)}\n`);
    if (failed.length === 10) break;
  }
  if (performance.now() - told > 5000 || seed === from + count - 1) {
    told = performance.now();
    const done = seed - from + 1;
    const each = ((told - started) / done).toFixed(1);
    console.log(
      `${done} of ${count} seeds, ${commits} commits, ${each} ms a seed, ${failed.length} differ`,
    );
  }
}
if (failed.length > 0) console.log(`Seeds that differ: ${failed.join(' ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
