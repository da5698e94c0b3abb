/** Two journals that a crash has left different become alike: the longer one wins, and what is damaged in one is healed. */
import { MailError, type Disk } from '@mail-server-kit/core';
import { segmentOf } from '../layout.js';
import { CopyError, settle, type Finding } from './compare.js';
import type { Damage } from './events.ts';
import { reasonOf, type Side, type Sides } from './sides.ts';

/**
 * Everything that will be replayed: from the beginning of the segment in which that starts.
 * @throws MailError CORRUPTION if both have a whole record at one place and the records differ
 */
export function settleSides(sides: Sides, from: number, seed: number): void {
  if (sides.whole.length < 2) return;
  const numbers = sides.whole[0]?.place.journal.list().flatMap((name) => segmentOf(name) ?? []);
  for (const segment of (numbers ?? []).sort((a, b) => a - b)) {
    if (segment < from) continue;
    const { whole } = sides;
    if (whole.length < 2) return;
    try {
      settleOne(sides, whole, segment, seed);
    } catch (error) {
      if (!(error instanceof CopyError)) throw error;
      const side = whole[error.copy] as Side;
      sides.lose(side, reasonOf(error.cause), error.cause);
    }
  }
}

function settleOne(sides: Sides, whole: readonly Side[], segment: number, seed: number): void {
  const disks: readonly Disk[] = whole.map(({ place }) => place.journal);
  const steps = settle(disks, { segment, seed });
  let step = steps.next();
  while (!step.done) step = steps.next();
  const { findings, end, conflict } = step.value;
  if (conflict !== undefined) {
    const names = whole.map(({ place }) => place.directory).join(' and ');
    const text = `${names} differ at segment ${segment}, offset ${conflict}, and both are whole there`;
    throw new MailError('CORRUPTION', text, { cause: { segment, offset: conflict } });
  }
  for (const finding of withoutEnds(findings, end)) tellFinding(sides, whole, finding);
}

/** Without what one side lacked only because it had got less far. */
function withoutEnds(findings: readonly Finding[], end: number): readonly Finding[] {
  const ends = new Map<number, number>();
  const rest: Finding[] = [];
  for (const finding of [...findings].reverse()) {
    const { copy, offset, octets, healed } = finding;
    if (healed && offset + octets === (ends.get(copy) ?? end)) ends.set(copy, offset);
    else rest.unshift(finding);
  }
  // What none has may be the group that was torn: the replay looks at that.
  return rest.filter(({ healed }) => healed);
}

export function tellFinding(sides: Sides, among: readonly Side[], finding: Finding): Damage {
  const { copy, segment, offset, octets, healed } = finding;
  const side = among[copy] ?? (among.length === 1 ? among[0] : undefined);
  const where = side ? { directory: side.place.directory } : {};
  return sides.damage({ ...where, segment, offset, octets, healed });
}
