/** Commands that write: they own the store while they run, so the server must be stopped. */
import { openEmbeddedStore, type EmbeddedStore } from '../embedded/store.ts';
import type { StoreEvent } from '../embedded/mirror/events.ts';
import { looking, type Invocation } from './command.ts';

/** Opens the store for `body` and closes it after. @throws MailError NONEXISTENT if there is none, UNAVAILABLE if it is in use */
export async function owning<T>(
  invocation: Invocation,
  onEvent: (event: StoreEvent) => void,
  body: (store: EmbeddedStore) => Promise<T>,
): Promise<T> {
  // Whoever mistypes the directory must not get a new store there.
  await looking(invocation, async () => {});
  const { encryption } = invocation;
  // What the command is for, it does; nothing else is begun meanwhile.
  const store = await openEmbeddedStore(directoriesOf(invocation), {
    ...{ scrubMs: 0, search: false, onEvent },
    ...(encryption ? { encryption } : {}),
  });
  try {
    return await body(store);
  } finally {
    await store.close();
  }
}

export const directoriesOf = ({
  directory,
  mirror,
}: Invocation): readonly [string] | readonly [string, string] =>
  mirror === undefined ? [directory] : [directory, mirror];
