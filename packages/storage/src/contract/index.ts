/**
 * The promises of a MailStore, for any implementation and any test runner:
 *
 *     mailStoreContract({ describe, it }, () => openYourStore(freshDatabase()));
 */
import { changePromises } from './changes.ts';
import { commitPromises } from './commits.ts';
import { flagPromises } from './flags.ts';
import type { Open, Runner } from './given.ts';
import { mailboxPromises } from './mailboxes.ts';
import { messagePromises } from './messages.ts';
import { quotaPromises } from './quotas.ts';
import { recordPromises } from './records.ts';
import { uidPromises } from './uids.ts';
import { undeletePromises } from './undelete.ts';

export type { Open, Runner } from './given.ts';

/** `open` gives a new and empty store each time; the suite closes it. */
export function mailStoreContract(runner: Runner, open: Open): void {
  uidPromises(runner, open);
  flagPromises(runner, open);
  mailboxPromises(runner, open);
  messagePromises(runner, open);
  commitPromises(runner, open);
  quotaPromises(runner, open);
  recordPromises(runner, open);
  changePromises(runner, open);
  undeletePromises(runner, open);
}
