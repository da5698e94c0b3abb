/** Compares every checksum on every side, and heals from the other side of a mirror. */
import type { Damage, StoreEvent } from '../embedded/mirror/events.ts';
import { type Command } from './command.ts';
import { Progress, inUnits } from './output.ts';
import { owning } from './writing.ts';

export const scrub: Command = {
  name: 'scrub',
  usage: 'scrub [--mirror DIR2]',
  help: 'compares all checksums, heals from the other side (WRITES; stop the server)',

  async run(invocation) {
    const { json, io } = invocation;
    const progress = new Progress(io.stderr, 'octets');
    const onEvent = (event: StoreEvent) => {
      if (event.kind === 'scrubbing') progress.show(event.done, event.total);
    };
    const report = await owning(invocation, onEvent, (store) => store.scrub());
    progress.end();
    for (const damage of report.damage) {
      io.stdout.write(`${json ? JSON.stringify(damage) : textOf(damage)}\n`);
    }
    const seconds = ((report.ended - report.began) / 1000).toFixed(1);
    io.stdout.write(
      json
        ? `${JSON.stringify({ octets: report.octets, damage: report.damage.length })}\n`
        : `${inUnits(report.octets)} compared in ${seconds} s: ${verdict(report.damage)}\n`,
    );
    return report.damage.every(({ healed }) => healed);
  },
};

function textOf({ directory, segment, offset, healed }: Damage): string {
  const where = segment === undefined ? 'in the index' : `segment ${segment}, offset ${offset}`;
  const side = directory === undefined ? 'on every side' : `in ${directory}`;
  return `damage ${where} ${side}: ${healed ? 'healed' : 'NOT healed'}`;
}

function verdict(damage: readonly Damage[]): string {
  if (damage.length === 0) return 'all is well';
  const left = damage.filter(({ healed }) => !healed).length;
  return `${damage.length} damaged places, ${left} of them not healed`;
}
