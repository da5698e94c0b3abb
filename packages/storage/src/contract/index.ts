/**
 * The promises of a MailStore, for any implementation and any test runner:
 * `mailStoreContract({ describe, it }, () => openYourStore(freshDatabase()))`.
 */
import { uidPromises } from './uids.ts';
import type { Open, Runner } from './given.ts';

export type { Open, Runner } from './given.ts';

/** `open` gives a new and empty store each time; the suite closes it. */
export function mailStoreContract(runner: Runner, open: Open): void {
  uidPromises(runner, open);
}
