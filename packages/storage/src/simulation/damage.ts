/** What may become of Level's files when the power goes: it promises little, and the store must not trust even that. */
import fs from 'node:fs';
import path from 'node:path';
import type { Log } from '@mail-server-kit/core';
import type { SeededRandom } from '@mail-server-kit/core/testing';

/** False: they are as they were. */
export function damageFiles(directory: string, random: SeededRandom, log: Log): boolean {
  const roll = random.integer(10);
  if (roll < 4) return false;
  if (roll === 4) {
    fs.rmSync(directory, { recursive: true, force: true });
    log({ level: 'info', service: 'simulation', event: 'index is removed' });
    return true;
  }
  // LOG tells of times and says nothing.
  const names = fs.existsSync(directory)
    ? fs.readdirSync(directory).filter((name) => !/^LO(G|CK)/.test(name))
    : [];
  const logs = names.filter((name) => name.endsWith('.log')).sort();
  // Mostly the end of the log is not there: that is how a checkpoint looks that was under way.
  const name = roll < 8 ? logs.at(-1) : names.length > 0 ? random.pick(names.sort()) : undefined;
  if (name === undefined) return false;
  const file = path.join(directory, name);
  const octets = fs.readFileSync(file);
  if (octets.length === 0) return false;
  const at = random.integer(octets.length);
  // Level ends the process when it meets a damaged block of a table, so those are only removed.
  const isTable = name.endsWith('.ldb');
  const others = ['truncated', 'flipped', 'zeroed'] as const;
  const how = isTable ? 'removed' : roll < 8 ? 'truncated' : random.pick(others);
  if (how === 'flipped') octets[at] = (octets[at] as number) ^ (1 << random.integer(8));
  else if (how === 'zeroed') octets.fill(0, at, Math.min(at + 4096, octets.length));
  if (how === 'removed') fs.rmSync(file);
  else fs.writeFileSync(file, how === 'truncated' ? octets.subarray(0, at) : octets);
  log({ level: 'info', service: 'simulation', event: `${name} is ${how} at ${at}` });
  return true;
}
