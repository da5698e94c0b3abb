/** The end of a command that removes messages from the selected mailbox. */
import type { Call } from './command.ts';

/** Tells what is gone, then gives the text of the tagged OK; with a response code only if something is gone. */
export async function removed(
  { session: { view, wording }, uid, report }: Call<'selected', unknown>,
  name: string,
): Promise<string | undefined> {
  const before = view.snapshot.highestModSeq;
  await report();
  if (!wording.afterRemoval || view.snapshot.highestModSeq === before) return undefined;
  return `[${wording.afterRemoval(view)}] ${uid ? 'UID ' : ''}${name} completed`;
}
