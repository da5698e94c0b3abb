/** SIGTERM and SIGINT let what is under way end; a second one cuts it off. */
import type { MailServer, Service } from '@mail-server-kit/core';

/**
 * Milliseconds. One Ctrl-C reaches us up to three times: from the terminal, from npm and from scripts/run.mjs. Only what
 * comes later is a second one.
 */
const ONE_SIGNAL = 500;

export function stopOnSignals(server: MailServer, services: readonly Service[]): void {
  let first: number | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      console.error('stopping: what is under way may end; once more stops at once');
      server.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    } else if (now - first > ONE_SIGNAL) {
      // Draining ends when nobody is connected any more; the store is closed as always.
      for (const service of services) service.stop().catch(() => {});
    }
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
