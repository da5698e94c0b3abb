/** Where the time goes: `node --import tsx bench/hot.ts FOLDER [LINES]` sums up the CPU profiles of `--profile FOLDER`. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What V8 writes, as far as it is read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

const [folder, lines = '25'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node --import tsx bench/hot.ts FOLDER [LINES]');
  process.exit(1);
}
for (const name of readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'))) {
  const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile;
  const spent = selfTimes(profile);
  const idle = ['(idle)', '(program)', '(root)'];
  const busy = [...spent].filter(([place]) => !idle.some((kind) => place.startsWith(kind)));
  const total = busy.reduce((sum, [, time]) => sum + time, 0);
  console.log(`\n${name}: busy for ${(total / 1e6).toFixed(2)} s`);
  for (const [place, time] of busy.sort((a, b) => b[1] - a[1]).slice(0, Number(lines))) {
    console.log(`${((100 * time) / total).toFixed(1).padStart(6)} %  ${place}`);
  }
}

/** Microseconds by function: its own, not those of what it calls. */
function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const places = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const at = url
        ? ` ${url.replace(/^.*\/(packages|node_modules)\//, '$1/')}:${lineNumber + 1}`
        : '';
      return [id, `${functionName || '(anonymous)'}${at}`];
    }),
  );
  const spent = new Map<string, number>();
  samples.forEach((id, i) => {
    const place = places.get(id) ?? '(unknown)';
    spent.set(place, (spent.get(place) ?? 0) + (timeDeltas[i] ?? 0));
  });
  return spent;
}
